/** @typedef {import("./subscription.js").Subscription} Subscription */
/** @typedef {{ ids: string[], type: string, [rest: string]: any }} Item for some of a tab's subscriptions */

/** A hub's end of the way to a tab. What is to be told within one turn of the loop goes in one message. */
export class TabPort {
  /** @type {Map<string, Subscription>} */
  subscriptions = new Map();
  heardAt = 0;
  /** Where it says that it is. @type {import("./hub-client.js").Presence | null} */
  presence = null;
  /** @type {Item[]} */
  #outbox = [];

  /** @param {MessagePort} port */
  constructor(port) {
    this.port = port;
  }

  /**
   * Tell a subscription's tab something. What several of a tab get is sent once.
   *
   * @param {string} id
   * @param {object} what the same object for the same thing
   * @param {string} type
   */
  tell(id, what, type) {
    const last = this.#outbox.at(-1);
    if (last?.what === what) last.ids.push(id);
    else this.#outbox.push({ ids: [id], type, what });
    if (this.#outbox.length === 1) queueMicrotask(() => this.#flush());
  }

  #flush() {
    const items = this.#outbox;
    this.#outbox = [];
    this.port.postMessage({ type: "items", items });
  }
}
