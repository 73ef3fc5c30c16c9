import { namespace } from "../namespace.js";

/**
 * Which of several workers the tabs of a browser use: one that has died may bar its name, so another one with another name
 * follows it. The number is kept where all tabs see it; where storage is blocked, each page counts for itself.
 */
export class Generation {
  #key;
  #number = 0;

  /** @param {string} address of streams */
  constructor(address) {
    this.#key = `sse:worker:${namespace}:${address}`;
  }

  get current() {
    try {
      this.#number = Number(localStorage.getItem(this.#key)) || 0;
    } catch {}
    return this.#number;
  }

  set current(number) {
    this.#number = number;
    try {
      localStorage.setItem(this.#key, String(number));
    } catch {}
  }

  /**
   * Go on to the generation after one that is lost, unless another tab has done so.
   *
   * @param {number} lost
   */
  follow(lost) {
    if (this.current === lost) this.current = lost + 1;
  }
}
