import { environment } from "../../../static/environment.js";

/** A clock that tests control. Its functions can replace those of an environment. */
export class ManualClock {
  time = Date.UTC(2026, 0, 1);
  /** @type {Map<number, { due: number, callback: () => void }>} */
  timers = new Map();
  #created = 0;

  now = () => this.time;
  monotonic = () => this.time;

  /**
   * @param {() => void} callback
   * @param {number} milliseconds
   */
  setTimeout = (callback, milliseconds) => {
    this.#created += 1;
    this.timers.set(this.#created, { due: this.time + milliseconds, callback });
    return this.#created;
  };

  /** @param {number} timer */
  clearTimeout = (timer) => {
    this.timers.delete(timer);
  };

  /** @returns {import("../../../static/environment.js").Environment} the usual environment, with this clock */
  get environment() {
    const { now, monotonic, setTimeout, clearTimeout } = this;
    return { ...environment, now, monotonic, setTimeout, clearTimeout };
  }

  /** @param {number} milliseconds */
  advance(milliseconds) {
    const end = this.time + milliseconds;
    for (let timer = this.#nextUntil(end); timer; timer = this.#nextUntil(end)) {
      this.timers.delete(timer.id);
      this.time = Math.max(this.time, timer.due);
      timer.callback();
    }
    this.time = end;
  }

  /** @param {number} end */
  #nextUntil(end) {
    const due = [...this.timers].map(([id, timer]) => ({ id, ...timer })).filter((timer) => timer.due <= end);
    return due.sort((a, b) => a.due - b.due)[0];
  }
}
