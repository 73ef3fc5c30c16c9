import { tabId } from "../page/tab.js";
import { Hub } from "./hub.js";

/** @typedef {import("../page/shared-source.js").SharedSource} SharedSource */
/** @typedef {{ id: string, rooms: string[], visible: boolean }} Presence of a tab */

// Milliseconds
const HELLO_MS = 5_000;
const PING_MS = 5_000;
const PONG_MS = 3_000;
// A worker that has died is followed by another once within this time; then the page connects by itself.
const WORKER_LIFE_MS = 60_000;

const BROWSER = "browser";
const ELEMENT = "element";

/** @type {Map<string, Link>} */
const links = new Map();

/**
 * This page's way to the hub that serves its sources: the one in the browser's SharedWorker, or, where there is none or it
 * does not answer, one in the page. It stands as long as there is a source to be served.
 */
export class Link {
  #address;
  #hasWorker;
  /** @type {Map<string, SharedSource>} */
  #sources = new Map();
  /** @type {Presence | null} */
  #presence = null;
  /** @type {MessagePort | null} */
  #port = null;
  #lostAt = Number.NEGATIVE_INFINITY;
  /** Ends what watches over the present port. */
  #watch = new AbortController();
  /** The ping that waits for its answer: when it was sent, and the sources that the hub has to know. */
  #asked = { at: Number.POSITIVE_INFINITY, ids: /** @type {string[]} */ ([]) };

  /**
   * Return the way to the hub for an address of streams.
   *
   * @param {string} address
   * @param {string} sharedBy whose sources that hub serves: the `browser`'s, the `page`'s, or one `element`'s
   */
  static to(address, sharedBy) {
    const known = links.get(address);
    if (known && sharedBy !== ELEMENT) return known;
    const link = new Link(address, sharedBy === BROWSER);
    if (sharedBy !== ELEMENT) links.set(address, link);
    return link;
  }

  /**
   * @param {string} address
   * @param {boolean} hasWorker whether it may be a worker's
   */
  constructor(address, hasWorker) {
    this.#address = address;
    this.#hasWorker = hasWorker;
  }

  /**
   * @param {string} id
   * @param {SharedSource} source
   */
  subscribe(id, source) {
    this.#sources.set(id, source);
    if (this.#port) this.#send({ type: "subscribe", wish: { id, ...source.wish } });
    else this.#open();
  }

  /** @param {string} id */
  unsubscribe(id) {
    if (!this.#sources.delete(id)) return;
    this.#send({ type: "unsubscribe", id });
    if (this.#sources.size === 0) this.#close();
  }

  /**
   * Say where this tab is, and whether anybody sees it.
   *
   * @param {string[]} rooms
   * @param {boolean} visible
   */
  present(rooms, visible) {
    this.#presence = { id: tabId, rooms, visible };
    this.#send({ type: "present", presence: this.#presence });
  }

  /** Look at once whether the hub lives, and let it try what it has put off. */
  retry() {
    this.#send({ type: "retry" });
    this.#ping();
    this.#after(PONG_MS, () => this.#check());
  }

  #open() {
    const patient = performance.now() - this.#lostAt > WORKER_LIFE_MS;
    if (this.#hasWorker && patient) this.#toWorker();
    else this.#toPage();
  }

  #toWorker() {
    try {
      const worker = new SharedWorker(new URL("./worker.js", import.meta.url), { type: "module", name: this.#address });
      this.#attach(worker.port);
      worker.addEventListener("error", () => this.#toPage(), { signal: this.#watch.signal });
      this.#after(HELLO_MS, () => this.#toPage());
    } catch {
      this.#toPage(); // this browser has no SharedWorker, or gives none to this page
    }
  }

  #toPage() {
    const { port1, port2 } = new MessageChannel();
    new Hub(this.#address).join(port2);
    this.#attach(port1);
  }

  /** @param {MessagePort} port */
  #attach(port) {
    this.#close();
    this.#port = port;
    port.onmessage = ({ data }) => this.#hear(data);
    for (const [id, source] of this.#sources) this.#send({ type: "subscribe", wish: { id, ...source.wish } });
    if (this.#presence) this.#send({ type: "present", presence: this.#presence });
  }

  #close() {
    this.#watch.abort();
    this.#watch = new AbortController();
    this.#asked = { at: Number.POSITIVE_INFINITY, ids: [] };
    this.#send({ type: "bye" });
    this.#port?.close();
    this.#port = null;
  }

  /** The hub is gone: go on with another one, from where each source is. */
  #lost() {
    this.#close();
    this.#open();
    this.#lostAt = performance.now();
  }

  /** @param {object} message */
  #send(message) {
    this.#port?.postMessage(message);
  }

  /** @param {any} message */
  #hear(message) {
    if (message.type === "hello") this.#greeted(message.lock);
    else if (message.type === "pong") this.#answered(message);
    else if (message.type === "trouble") reportError(new Error(message.text));
    else for (const item of message.items) this.#hand(item);
  }

  /** @param {import("./tab-port.js").Item} item */
  #hand({ ids, type, what }) {
    for (const id of ids) this.#sources.get(id)?.receive(type, what);
  }

  // ---------------------------------------------------------------- is it alive?

  /** @param {string} lock */
  #greeted(lock) {
    this.#watch.abort();
    this.#watch = new AbortController();
    if (!lock) return; // it lives in this page, and as long as that
    const { signal } = this.#watch;
    const free = () => signal.aborted || this.#lost();
    navigator.locks?.request(lock, { mode: "shared", signal }, free).catch(() => {}); // aborted: no longer of interest
    const timer = setInterval(() => this.#ping(), PING_MS);
    signal.addEventListener("abort", () => clearInterval(timer));
  }

  #ping() {
    this.#check();
    if (Number.isFinite(this.#asked.at)) return;
    this.#asked = { at: performance.now(), ids: [...this.#sources.keys()] };
    this.#send({ type: "ping" });
  }

  #check() {
    if (performance.now() - this.#asked.at >= PONG_MS) this.#lost();
  }

  /** @param {{ heardAt: number, cursors: Record<string, string> }} message */
  #answered({ heardAt, cursors }) {
    const { ids } = this.#asked;
    this.#asked = { at: Number.POSITIVE_INFINITY, ids: [] };
    for (const [id, source] of [...this.#sources].filter(([id]) => ids.includes(id))) {
      if (id in cursors) source.reach(cursors[id], heardAt);
      else this.#send({ type: "subscribe", wish: { id, ...source.wish } }); // it took this tab for gone
    }
  }

  /**
   * @param {number} milliseconds
   * @param {() => void} callback
   */
  #after(milliseconds, callback) {
    const timer = setTimeout(callback, milliseconds);
    this.#watch.signal.addEventListener("abort", () => clearTimeout(timer));
  }
}
