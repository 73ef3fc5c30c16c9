/**
 * What happened and has not been looked at yet: a test waits for the next of it.
 *
 * @template T
 */
export class Queue {
  /** @type {T[]} */
  items = [];
  /** @type {((item: T) => void)[]} */
  #waiting = [];

  /** @param {T} item */
  push(item) {
    const waiter = this.#waiting.shift();
    if (waiter) waiter(item);
    else this.items.push(item);
  }

  /** @returns {Promise<T>} */
  next() {
    const [item] = this.items.splice(0, 1);
    return item === undefined ? new Promise((resolve) => this.#waiting.push(resolve)) : Promise.resolve(item);
  }
}
