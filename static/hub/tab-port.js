/** @typedef {import("./subscription.js").Subscription} Subscription */
/** @typedef {import("../stream/connection-state.js").StateChange} StateChange */
/** @typedef {import("../stream/parser.js").StreamEvent} StreamEvent */

/** @typedef {{ id: string, rooms: string[], visible: boolean }} Presence of a tab */

/** @typedef {{ connection: string, isAlone: boolean }} Serving over which of the server's connections, and for this tab alone? */

/**
 * What a tab sends to its hub. A visit is one stay of one page: a page that comes back from the back-forward cache has another.
 *
 * @typedef {{ type: "visit", visit: string }
 *   | { type: "subscribe", subscription: import("./subscription.js").SubscriptionRequest }
 *   | { type: "unsubscribe", id: string }
 *   | { type: "presence", presence: Presence }
 *   | { type: "reconnect" }
 *   | { type: "ping" }
 *   | { type: "bye" }} TabMessage
 */

/**
 * What a hub sends to a tab. In `pong`, `cursors` has the cursor of each subscription by its id.
 *
 * @typedef {{ type: "hello", isInWorker: boolean }
 *   | { type: "serving", serving: Serving }
 *   | { type: "deliveries", deliveries: Delivery[] }
 *   | { type: "pong", heardAt: number, cursors: Record<string, string> }
 *   | { type: "error", message: string }} HubMessage
 */

/**
 * For some subscriptions of a tab, by their ids.
 *
 * @typedef {{ ids: string[] } & Payload} Delivery
 * @typedef {{ type: "event", payload: StreamEvent }
 *   | { type: "state", payload: StateChange }
 *   | { type: "denied", payload: { reason: string } }
 *   | { type: "renewed", payload: { grant: string } }} Payload
 */

/** A hub's end of the MessagePort to a tab. What is sent within one turn of the event loop goes in one message. */
export class TabPort {
  /** @type {Map<string, Subscription>} */
  subscriptions = new Map();
  heardAt = 0;
  visit = "";
  /** @type {Presence | null} */
  presence = null;
  /** @type {Delivery[]} */
  #outbox = [];
  #port;
  /** What it was told last. @type {Serving} */
  #told = { connection: "", isAlone: false };

  /**
   * @param {MessagePort} port
   * @param {(message: TabMessage) => void} onMessage
   */
  constructor(port, onMessage) {
    this.#port = port;
    port.onmessage = ({ data }) => onMessage(data);
    // Not every browser tells that the other end is gone.
    port.addEventListener("close", () => onMessage({ type: "bye" }));
  }

  /**
   * Deliver something to a subscription of this tab. If several of them get the same object, it is sent once.
   *
   * @param {string} id
   * @param {Payload} delivery
   */
  deliver(id, { type, payload }) {
    const last = this.#outbox.at(-1);
    if (last?.payload === payload) last.ids.push(id);
    else this.#outbox.push(/** @type {Delivery} */ ({ ids: [id], type, payload }));
    if (this.#outbox.length === 1) queueMicrotask(() => this.#flush());
  }

  /** @param {HubMessage} message */
  send(message) {
    this.#port.postMessage(message);
  }

  /** @param {Serving} serving */
  tellServing(serving) {
    if (serving.connection === this.#told.connection && serving.isAlone === this.#told.isAlone) return;
    this.#told = serving;
    this.send({ type: "serving", serving });
  }

  /** Release the port: neither side hears of the other again. */
  close() {
    this.#port.onmessage = null;
    this.#port.close();
  }

  #flush() {
    const deliveries = this.#outbox;
    this.#outbox = [];
    this.send({ type: "deliveries", deliveries });
  }
}
