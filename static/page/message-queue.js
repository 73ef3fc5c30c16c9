/** @typedef {MessageEvent & { channel?: string }} LogEvent a message; what stands in the server's log has a channel */

/** Messages that wait for someone who takes them one by one. */
export class MessageQueue {
  /** The one that was taken last. @type {LogEvent | null} */
  taken = null;
  /** @type {LogEvent[]} */
  #waiting = [];
  #arrived = () => {};

  /** @param {LogEvent} message */
  push(message) {
    this.#waiting.push(message);
    this.#arrived();
  }

  /**
   * Take the next message, as soon as there is one.
   *
   * @returns {Promise<LogEvent>}
   */
  async take() {
    this.taken = null;
    while (this.#waiting.length === 0) await this.#arrival();
    this.taken = /** @type {LogEvent} */ (this.#waiting.shift());
    return this.taken;
  }

  /** Forget what stands in the log: the page has been brought up to date with it, or will get it again. */
  forget() {
    this.taken = null;
    this.#waiting = this.#waiting.filter(({ channel }) => !channel);
  }

  #arrival() {
    return new Promise((resolve) => {
      this.#arrived = () => resolve(null);
    });
  }
}
