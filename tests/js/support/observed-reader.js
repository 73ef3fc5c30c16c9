import { STATE_EVENT } from "../../../static/protocol.js";
import { FetchEventSource } from "../../../static/stream/stream-reader.js";
import { Queue } from "./queue.js";

/** A source with its events kept in the order in which they came, and its attempts counted. */
export class ObservedSource extends FetchEventSource {
  /** @type {Queue<any>} */
  events = new Queue();
  /** @type {Queue<any>} */
  errors = new Queue();
  /** @type {string[]} */
  states = [];
  /** @type {AbortSignal[]} */
  attempts;

  /**
   * @param {string} url
   * @param {ConstructorParameters<typeof FetchEventSource>[1]} [options]
   */
  constructor(url, options = {}) {
    /** @type {AbortSignal[]} */
    const attempts = [];
    super(url, {
      ...options,
      fetch: (address, init) => {
        attempts.push(/** @type {AbortSignal} */ (init?.signal));
        return (options.fetch ?? globalThis.fetch)(address, init);
      },
    });
    this.attempts = attempts;
    for (const type of ["open", "message", "progress", "sse:open"]) this.follow(type);
    this.addEventListener("error", (event) => this.errors.push(event));
    this.addEventListener(STATE_EVENT, (event) => this.states.push(/** @type {CustomEvent} */ (event).detail.state));
  }

  /** @param {string} type */
  follow(type) {
    this.addEventListener(type, (event) => this.events.push(event));
  }

  get running() {
    return this.attempts.filter((signal) => !signal.aborted).length;
  }
}
