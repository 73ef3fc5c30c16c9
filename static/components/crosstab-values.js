// The values that the tabs of a browser share, without the server: what one of them sets, all have; the last writer wins.

/** @typedef {{ value: any, time: number, tab: string }} Entry a value, when it was set, and by which tab */

/**
 * @typedef {object} Environment what it needs from the browser; tests give their own
 * @property {string} tab a name that no other tab has
 * @property {() => number} now milliseconds since the epoch
 * @property {Storage | null} storage what tabs remember; null where it is blocked
 * @property {() => Pick<BroadcastChannel, "postMessage" | "close" | "onmessage"> | null} open a way to the other tabs
 */

/**
 * Tell whether an entry is to take another one's place. All tabs decide alike, so they end with the same one.
 *
 * @param {Entry} entry
 * @param {Entry | null | undefined} other
 */
export function isNewer(entry, other) {
  if (!other) return true;
  return entry.time === other.time ? entry.tab > other.tab : entry.time > other.time;
}

/** Values that all tabs of a browser share. Where the browser remembers nothing, a tab has them for itself, and says nothing. */
export class CrossTab {
  #env;
  /** @type {ReturnType<Environment["open"]>} */
  #channel = null;
  /** @type {Map<string, Entry>} */
  #entries = new Map();
  /** @type {Map<string, Set<(value: any, isOurs: boolean) => void>>} */
  #listeners = new Map();

  /** @param {Environment} environment */
  constructor(environment) {
    this.#env = environment;
    this.open();
  }

  /** Hear other tabs; what they have set meanwhile is taken up from what the browser remembers. */
  open() {
    this.#channel ??= this.#env.open();
    if (this.#channel) this.#channel.onmessage = ({ data }) => this.take(data.key, data.entry);
    for (const key of this.#listeners.keys()) this.#recall(key);
  }

  /** Let go of the way to other tabs, as a page does that is left: it may be kept for the way back. */
  close() {
    this.#channel?.close();
    this.#channel = null;
  }

  /**
   * Return a value; undefined if none has been set.
   *
   * @param {string} key
   */
  get(key) {
    this.#recall(key);
    return this.#entries.get(key)?.value;
  }

  /**
   * Set a value in all tabs.
   *
   * @param {string} key
   * @param {any} value anything that JSON has a form for
   */
  set(key, value) {
    this.#recall(key);
    const known = this.#entries.get(key)?.time ?? 0;
    const entry = { value, time: Math.max(this.#env.now(), known + 1), tab: this.#env.tab };
    this.#accept(key, entry);
    this.#channel?.postMessage({ key, entry });
  }

  /**
   * Take what another tab has set, unless what is here is newer.
   *
   * @param {string} key
   * @param {Entry} entry
   */
  take(key, entry) {
    if (isNewer(entry, this.#entries.get(key))) this.#accept(key, entry);
    else this.#remember(key);
  }

  /**
   * Forget values, here and in what the browser remembers. What other tabs show stays.
   *
   * @param {string} prefix of their keys
   */
  forget(prefix) {
    const { storage } = this.#env;
    for (const key of [...this.#entries.keys()]) if (key.startsWith(prefix)) this.#entries.delete(key);
    for (const key of Object.keys(storage ?? {})) if (key.startsWith(prefix)) storage?.removeItem(key);
  }

  /**
   * Be told whenever a value is set, in this tab or another one.
   *
   * @param {string} key
   * @param {(value: any, isOurs: boolean) => void} listener
   * @returns {() => void} what ends it
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
    this.#remember(key);
    for (const listener of [...(this.#listeners.get(key) ?? [])]) listener(entry.value, entry.tab === this.#env.tab);
  }

  /** @param {string} key */
  #recall(key) {
    const entry = this.#remembered(key);
    if (entry && isNewer(entry, this.#entries.get(key))) this.#accept(key, entry);
  }

  /** @param {string} key */
  #remembered(key) {
    return parseEntry(this.#env.storage?.getItem(key));
  }

  /**
   * Have the browser remember what is newest: of two tabs that wrote at once, the second may have overwritten it.
   *
   * @param {string} key
   */
  #remember(key) {
    const entry = this.#entries.get(key);
    if (!entry || !isNewer(entry, this.#remembered(key))) return;
    try {
      this.#env.storage?.setItem(key, JSON.stringify(entry));
    } catch {
      this.#env.storage?.removeItem(key); // no room for it: nothing is better than what is out of date
    }
  }
}

/**
 * Read what was remembered; what is no entry counts as nothing.
 *
 * @param {string | null | undefined} text
 * @returns {Entry | null}
 */
export function parseEntry(text) {
  try {
    const entry = JSON.parse(text ?? "null");
    return Number.isFinite(entry?.time) && typeof entry.tab === "string" ? entry : null;
  } catch {
    return null;
  }
}
