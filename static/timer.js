import { environment } from "./environment.js";

/** A browser fires a timer at once that is set for longer than this. */
export const LONGEST_TIMEOUT_MS = 2 ** 31 - 1;

/** A timer that waits for one thing at a time: starting it again replaces the callback that was due. */
export class Timer {
  #environment;
  /** @type {any} */
  #handle = null;

  constructor({ setTimeout, clearTimeout } = environment) {
    this.#environment = { setTimeout, clearTimeout };
  }

  get isPending() {
    return this.#handle !== null;
  }

  /**
   * @param {number} milliseconds
   * @param {() => void} callback
   */
  start(milliseconds, callback) {
    this.stop();
    this.#handle = this.#environment.setTimeout(
      () => {
        this.#handle = null;
        callback();
      },
      Math.min(milliseconds, LONGEST_TIMEOUT_MS),
    );
  }

  /**
   * @param {number} milliseconds
   * @param {() => void} callback
   */
  repeat(milliseconds, callback) {
    this.start(milliseconds, () => {
      this.repeat(milliseconds, callback);
      callback();
    });
  }

  stop() {
    if (!this.isPending) return;
    this.#environment.clearTimeout(this.#handle);
    this.#handle = null;
  }
}
