/** @typedef {import("../stream/parser.js").StreamEvent} StreamEvent */

/** Events that wait for a consumer that takes them one by one. */
export class MessageQueue {
  /** The event that was taken last, until the next is requested. @type {StreamEvent | null} */
  taken = null;
  /** @type {StreamEvent[]} */
  #waiting = [];
  #onArrival = () => {};

  /** @param {StreamEvent} event */
  push(event) {
    this.#waiting.push(event);
    this.#onArrival();
  }

  /**
   * Take the next event, as soon as there is one.
   *
   * @returns {Promise<StreamEvent>}
   */
  async take() {
    this.taken = null;
    while (this.#waiting.length === 0) await this.#arrival();
    this.taken = /** @type {StreamEvent} */ (this.#waiting.shift());
    return this.taken;
  }

  /** Drop the events of the log: the page has been brought up to date with them, or will get them again. */
  dropLogged() {
    this.taken = null;
    this.#waiting = this.#waiting.filter(({ channel }) => !channel);
  }

  #arrival() {
    return new Promise((resolve) => {
      this.#onArrival = () => resolve(null);
    });
  }
}
