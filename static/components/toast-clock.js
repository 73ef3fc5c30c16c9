import { environment } from "../environment.js";
import { Timer } from "../timer.js";

/** The time that a toast has at least after it was on hold. */
const MIN_REST_MS = 1_000;

/** The time that a toast has left. */
export class ToastClock {
  #environment;
  #timer;
  #onEnd;
  #milliseconds;
  #startedAt = 0;
  #createdAt;

  /**
   * @param {number} milliseconds 0 for a toast that stays until it is closed
   * @param {() => void} onEnd
   */
  constructor(milliseconds, onEnd, env = environment) {
    this.isEndless = milliseconds === 0;
    this.#milliseconds = milliseconds;
    this.#onEnd = onEnd;
    this.#environment = env;
    this.#timer = new Timer(env);
    this.#createdAt = env.monotonic();
  }

  get age() {
    return this.#environment.monotonic() - this.#createdAt;
  }

  /** Milliseconds. */
  get rest() {
    if (!this.#timer.isPending) return this.#milliseconds;
    return Math.max(MIN_REST_MS, this.#milliseconds - (this.#environment.monotonic() - this.#startedAt));
  }

  run() {
    if (this.isEndless || this.#timer.isPending) return;
    this.#startedAt = this.#environment.monotonic();
    this.#timer.start(this.#milliseconds, this.#onEnd);
  }

  pause() {
    this.#milliseconds = this.rest;
    this.#timer.stop();
  }

  stop() {
    this.#timer.stop();
  }
}
