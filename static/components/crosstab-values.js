/** @typedef {{ value: any, time: number, tab: string }} Entry a value, when it was set, and by which tab */
/** @typedef {Pick<BroadcastChannel, "postMessage" | "close" | "onmessage">} Channel to the other tabs */

/**
 * @typedef {object} CrossTabEnvironment what it needs from the browser; tests pass their own
 * @property {string} tab a name that no other tab has
 * @property {() => number} now milliseconds since the epoch
 * @property {Storage | null} storage null where it is blocked
 * @property {() => Channel | null} openChannel
 */

/**
 * Tell whether an entry replaces another. All tabs decide alike, so they end up with the same entry.
 *
 * @param {Entry} entry
 * @param {Entry | null | undefined} other
 */
export function isNewer(entry, other) {
  if (!other) return true;
  return entry.time === other.time ? entry.tab > other.tab : entry.time > other.time;
}

/**
 * Parse an entry from storage.
 *
 * @param {string | null | undefined} text
 * @returns {Entry | null} null if it is no entry
 */
export function parseEntry(text) {
  try {
    const entry = JSON.parse(text ?? "null");
    return Number.isFinite(entry?.time) && typeof entry.tab === "string" ? entry : null;
  } catch {
    return null;
  }
}

/**
 * Values that all tabs of a browser share without the server. The last writer wins. Where the browser has neither storage nor
 * channels, each tab has its own values.
 */
export class CrossTab {
  #environment;
  /** @type {Channel | null} */
  #channel = null;
  /** @type {Map<string, Entry>} */
  #entries = new Map();
  /** @type {Map<string, Set<(value: any, isOurs: boolean) => void>>} */
  #listeners = new Map();

  /** @param {CrossTabEnvironment} environment */
  constructor(environment) {
    this.#environment = environment;
    this.open();
  }

  /** Listen to the other tabs, and catch up from storage with what they have set meanwhile. */
  open() {
    this.#channel ??= this.#environment.openChannel();
    if (this.#channel) this.#channel.onmessage = ({ data }) => this.receive(data.key, data.entry);
    for (const key of this.#listeners.keys()) this.#load(key);
  }

  /** Close the channel. An open channel keeps the page out of the back/forward cache. */
  close() {
    this.#channel?.close();
    this.#channel = null;
  }

  /**
   * Return a value; undefined if no tab has set it.
   *
   * @param {string} key
   */
  get(key) {
    this.#load(key);
    return this.#entries.get(key)?.value;
  }

  /**
   * Set a value in all tabs.
   *
   * @param {string} key
   * @param {any} value as JSON can represent it
   */
  set(key, value) {
    this.#load(key);
    const lastTime = this.#entries.get(key)?.time ?? 0;
    const entry = { value, time: Math.max(this.#environment.now(), lastTime + 1), tab: this.#environment.tab };
    this.#accept(key, entry);
    this.#channel?.postMessage({ key, entry });
  }

  /**
   * Tell whether a key is in use here.
   *
   * @param {string} key
   */
  knows(key) {
    return this.#entries.has(key) || this.#listeners.has(key);
  }

  /**
   * Receive what another tab has set, unless the entry here is newer.
   *
   * @param {string} key
   * @param {Entry} entry
   */
  receive(key, entry) {
    if (isNewer(entry, this.#entries.get(key))) this.#accept(key, entry);
    else this.#store(key);
  }

  /**
   * Delete values here and in storage. The other tabs keep what they show.
   *
   * @param {string} prefix of their keys
   */
  forget(prefix) {
    const { storage } = this.#environment;
    for (const key of [...this.#entries.keys()]) if (key.startsWith(prefix)) this.#entries.delete(key);
    for (const key of Object.keys(storage ?? {})) if (key.startsWith(prefix)) storage?.removeItem(key);
  }

  /**
   * Call a listener whenever a value is set, by this tab or another.
   *
   * @param {string} key
   * @param {(value: any, isOurs: boolean) => void} listener
   * @returns {() => void} removes the listener
   */
  subscribe(key, listener) {
    const listeners = this.#listeners.get(key) ?? new Set();
    this.#listeners.set(key, listeners.add(listener));
    return () => listeners.delete(listener);
  }

  /**
   * @param {string} key
   * @param {Entry} entry
   */
  #accept(key, entry) {
    this.#entries.set(key, entry);
    this.#store(key);
    for (const listener of [...(this.#listeners.get(key) ?? [])])
      listener(entry.value, entry.tab === this.#environment.tab);
  }

  /** @param {string} key */
  #load(key) {
    const entry = this.#stored(key);
    if (entry && isNewer(entry, this.#entries.get(key))) this.#accept(key, entry);
  }

  /** @param {string} key */
  #stored(key) {
    return parseEntry(this.#environment.storage?.getItem(key));
  }

  /**
   * Store the entry if it is newer than what is stored: of two tabs that write at once, the older may have been the last.
   *
   * @param {string} key
   */
  #store(key) {
    const entry = this.#entries.get(key);
    if (!entry || !isNewer(entry, this.#stored(key))) return;
    try {
      this.#environment.storage?.setItem(key, JSON.stringify(entry));
    } catch {
      this.#environment.storage?.removeItem(key); // storage is full: no value is better than an old one
    }
  }
}
