import { environment } from "../environment.js";

/** How often a page heals within a minute. A page that needs more than that gains nothing by it. */
export const HEALS_A_MINUTE = 5;
const MINUTE = 60_000;

/** Counts the heals of the last minute. */
export class HealLimit {
  #environment;
  /** @type {number[]} */
  #times = [];

  constructor(env = environment) {
    this.#environment = env;
  }

  get isReached() {
    const since = this.#environment.monotonic() - MINUTE;
    this.#times = this.#times.filter((time) => time > since);
    return this.#times.length >= HEALS_A_MINUTE;
  }

  count() {
    this.#times.push(this.#environment.monotonic());
  }
}
