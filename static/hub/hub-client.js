import { environment } from "../environment.js";
import { namespace } from "../namespace.js";
import { PRESENCE_PATH, STREAM_PATH } from "../protocol.js";
import { Timer } from "../timer.js";
import { Generation } from "./generation.js";
import { Hub } from "./hub.js";

/** @typedef {import("./tab-port.js").HubMessage} HubMessage */
/** @typedef {import("./tab-port.js").Payload} Payload */
/** @typedef {import("./tab-port.js").Presence} Presence */
/** @typedef {import("./tab-port.js").TabMessage} TabMessage */

/**
 * @typedef {object} Subscriber a page's end of a subscription
 * @property {Omit<import("./subscription.js").SubscriptionRequest, "id">} request
 * @property {(delivery: Payload) => void} receive
 * @property {(cursor: string, heardAt: number) => void} advance called with the cursor that the hub has reached
 */

/**
 * @typedef {object} HubClientOptions
 * @property {boolean} hasWorker whether the hub may be in a SharedWorker
 * @property {import("../environment.js").Environment} env
 * @property {(address: string, generation: number) => SharedWorker} openWorker
 * @property {Generation} generation of the worker that the browser's tabs use
 */

// Milliseconds
const HELLO_TIMEOUT_MS = 5_000;
const PING_MS = 5_000;
const PONG_TIMEOUT_MS = 3_000;
// A worker that dies is replaced by another once within this time; the second time, the page connects by itself.
const WORKER_LIFE_MS = 60_000;

const BROWSER = "browser";
const ELEMENT = "element";

const NO_PING = { sentAt: Number.POSITIVE_INFINITY, ids: /** @type {string[]} */ ([]) };

const NOT_SERVED = { connection: "", isAlone: false };
const VISIT_BYTES = 12;

/** @type {Map<string, HubClient>} */
const clients = new Map();

// A page that is left may freeze before its hub does what it was told, and its worker with it.
globalThis.addEventListener?.("pagehide", () => {
  for (const client of HubClient.connected) client.sayGoodbye();
});

/**
 * Connects this page to the hub that serves its subscriptions: the one in the browser's SharedWorker or, if there is none or
 * it does not answer, one in the page. It is connected as long as there are subscriptions.
 */
export class HubClient {
  /** Those with a hub. @type {Set<HubClient>} */
  static connected = new Set();
  #address;
  #options;
  /** @type {Map<string, Subscriber>} */
  #subscribers = new Map();
  /** @type {Presence | null} */
  #presence = null;
  /** @type {MessagePort | null} */
  #port = null;
  #lostAt = Number.NEGATIVE_INFINITY;
  /** Of the worker that it connected to last. */
  #generation = 0;
  #visit = "";
  #serving = NOT_SERVED;
  /** Whether a worker has answered. */
  #isAnswered = false;
  /** Ends what watches the hub at the other end of the port. */
  #watch = new AbortController();
  #helloTimer;
  #pingTimer;
  #pongTimer;
  /** The ping that waits for its pong: when it was sent, and the subscriptions that the hub must know. */
  #ping = NO_PING;

  /**
   * Return the client for an address of streams.
   *
   * @param {string} address
   * @param {string} sharedBy whose subscriptions the hub serves: the `browser`'s, the `page`'s, or one `element`'s
   */
  static for(address, sharedBy) {
    const known = clients.get(address);
    if (known && sharedBy !== ELEMENT) return known;
    const client = new HubClient(address, { hasWorker: sharedBy === BROWSER && !isFramedByOthers() });
    if (sharedBy !== ELEMENT) clients.set(address, client);
    return client;
  }

  /**
   * @param {string} address
   * @param {Partial<HubClientOptions>} [options]
   */
  constructor(address, options = {}) {
    const defaults = { hasWorker: true, env: environment, openWorker, generation: new Generation(address) };
    this.#address = address;
    this.#options = { ...defaults, ...options };
    this.#helloTimer = new Timer(this.#options.env);
    this.#pingTimer = new Timer(this.#options.env);
    this.#pongTimer = new Timer(this.#options.env);
  }

  /**
   * @param {string} id
   * @param {Subscriber} subscriber
   */
  subscribe(id, subscriber) {
    this.#subscribers.set(id, subscriber);
    if (this.#port) this.#sendRequest(id, subscriber);
    else this.#open();
  }

  /** @param {string} id */
  unsubscribe(id) {
    if (!this.#subscribers.delete(id)) return;
    this.#send({ type: "unsubscribe", id });
    if (this.#subscribers.size === 0) this.#close();
  }

  /**
   * Tell the hub, and every later one, in which rooms this tab is and whether it is visible.
   *
   * @param {Presence} presence
   */
  setPresence(presence) {
    this.#presence = presence;
    this.#send({ type: "presence", presence });
  }

  /** Let the hub reconnect now instead of later, and check whether it is alive. */
  reconnectNow() {
    this.#send({ type: "reconnect" });
    this.#sendPing();
    this.#pongTimer.start(PONG_TIMEOUT_MS, () => this.#checkPong());
  }

  /** Tell the server that this page is left: what the hub is told may come too late, or never. */
  sayGoodbye() {
    const { connection, isAlone } = this.#serving;
    if (!connection) return;
    const report = { connection, gone: this.#visit, tab: this.#presence?.id ?? "", last: isAlone };
    this.#options.env.sendBeacon(this.#address.slice(0, -STREAM_PATH.length) + PRESENCE_PATH, JSON.stringify(report));
  }

  // ---------------------------------------------------------------- the port

  #open() {
    const mayUseWorker = this.#options.env.monotonic() - this.#lostAt > WORKER_LIFE_MS;
    if (this.#options.hasWorker && mayUseWorker) this.#connectToWorker();
    else this.#connectToPage();
  }

  /** @param {boolean} [isLast] whether there is no other worker to try */
  #connectToWorker(isLast = false) {
    const { openWorker, generation } = this.#options;
    const used = generation.current;
    this.#generation = used;
    try {
      const worker = openWorker(this.#address, used);
      this.#connect(worker.port);
      worker.addEventListener("error", () => this.#connectToPage(), { signal: this.#watch.signal });
      this.#helloTimer.start(HELLO_TIMEOUT_MS, () => this.#giveUp(worker.port, used, isLast));
    } catch {
      this.#connectToPage(); // this browser has no SharedWorker, or denies it to this page
    }
  }

  /**
   * A worker has not answered. In Firefox, one whose process has died never does, but one of another name may. One that is only
   * slow is used as soon as it answers.
   *
   * @param {MessagePort} port
   * @param {number} generation
   * @param {boolean} isLast
   */
  #giveUp(port, generation, isLast) {
    this.#send({ type: "bye" });
    this.#port = null;
    port.onmessage = ({ data }) => {
      if (data.type === "hello") this.#comeBack(generation);
      port.close();
    };
    if (isLast) return this.#connectToPage();
    this.#options.generation.follow(generation);
    this.#connectToWorker(true);
  }

  /** @param {number} generation of a worker that has answered late */
  #comeBack(generation) {
    if (this.#subscribers.size === 0 || this.#isAnswered) return;
    this.#options.generation.current = generation;
    this.#connectToWorker(true);
  }

  #connectToPage() {
    const { port1, port2 } = new MessageChannel();
    new Hub(this.#address, { env: this.#options.env }).addTab(port2);
    this.#connect(port1);
  }

  /** @param {MessagePort} port */
  #connect(port) {
    this.#close();
    this.#port = port;
    this.#visit = toHex(crypto.getRandomValues(new Uint8Array(VISIT_BYTES)));
    HubClient.connected.add(this);
    port.onmessage = ({ data }) => this.#handle(data);
    this.#send({ type: "visit", visit: this.#visit });
    for (const [id, subscriber] of this.#subscribers) this.#sendRequest(id, subscriber);
    if (this.#presence) this.#send({ type: "presence", presence: this.#presence });
  }

  #close() {
    this.#stopWatching();
    this.#ping = NO_PING;
    this.#send({ type: "bye" });
    this.#port?.close();
    this.#port = null;
    this.#isAnswered = false;
    this.#serving = NOT_SERVED;
    HubClient.connected.delete(this);
  }

  /** Replace a hub that is gone: each subscription continues from its cursor. */
  #replace() {
    this.#close();
    this.#options.generation.follow(this.#generation);
    this.#open();
    this.#lostAt = this.#options.env.monotonic();
  }

  /** @param {TabMessage} message */
  #send(message) {
    this.#port?.postMessage(message);
  }

  /**
   * @param {string} id
   * @param {Subscriber} subscriber
   */
  #sendRequest(id, { request }) {
    this.#send({ type: "subscribe", subscription: { id, ...request } });
  }

  /** @param {HubMessage} message */
  #handle(message) {
    if (message.type === "hello") this.#watchHub(message.isInWorker);
    else if (message.type === "serving") this.#serving = message.serving;
    else if (message.type === "pong") this.#handlePong(message);
    else if (message.type === "error") reportError(new Error(message.message));
    else for (const delivery of message.deliveries) this.#deliver(delivery);
  }

  /** @param {import("./tab-port.js").Delivery} delivery */
  #deliver(delivery) {
    for (const id of delivery.ids) this.#subscribers.get(id)?.receive(delivery);
  }

  // ---------------------------------------------------------------- is the hub alive?

  /** @param {boolean} isInWorker a hub in this page lives as long as the page */
  #watchHub(isInWorker) {
    this.#stopWatching();
    this.#isAnswered = isInWorker;
    if (!isInWorker) return;
    const { signal } = this.#watch;
    // Where a browser tells that the other end is gone, that is at once; pings show it everywhere.
    this.#port?.addEventListener("close", () => signal.aborted || this.#replace(), { signal });
    this.#pingTimer.repeat(PING_MS, () => this.#sendPing());
  }

  #stopWatching() {
    this.#watch.abort();
    this.#watch = new AbortController();
    for (const timer of [this.#helloTimer, this.#pingTimer, this.#pongTimer]) timer.stop();
  }

  #sendPing() {
    this.#checkPong();
    if (this.#ping !== NO_PING) return;
    this.#ping = { sentAt: this.#options.env.monotonic(), ids: [...this.#subscribers.keys()] };
    this.#send({ type: "ping" });
  }

  #checkPong() {
    if (this.#options.env.monotonic() - this.#ping.sentAt >= PONG_TIMEOUT_MS) this.#replace();
  }

  /** @param {{ heardAt: number, cursors: Record<string, string> }} pong */
  #handlePong({ heardAt, cursors }) {
    const { ids } = this.#ping;
    this.#ping = NO_PING;
    for (const [id, subscriber] of [...this.#subscribers].filter(([id]) => ids.includes(id))) {
      if (id in cursors) subscriber.advance(cursors[id], heardAt);
      else this.#sendRequest(id, subscriber); // the hub has dropped it
    }
  }
}

/** Tell whether a page of another origin shows this one in a frame: Chromium sends no cookies of a worker that begins there. */
function isFramedByOthers() {
  try {
    return globalThis.top?.location.origin !== globalThis.location?.origin;
  } catch {
    return true;
  }
}

/**
 * @param {string} address
 * @param {number} generation
 */
function openWorker(address, generation) {
  const name = [address, namespace, ...(generation ? [generation] : [])].join(" ");
  return new SharedWorker(new URL("./worker.js", import.meta.url), { type: "module", name });
}

/** @param {Uint8Array} bytes */
function toHex(bytes) {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
