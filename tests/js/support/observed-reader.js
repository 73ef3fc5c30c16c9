import { environment } from "../../../static/environment.js";
import { StreamReader } from "../../../static/stream/stream-reader.js";
import { Queue } from "./queue.js";

/** @typedef {import("../../../static/stream/connection-state.js").StateChange} StateChange */
/** @typedef {import("../../../static/stream/stream-reader.js").StreamOptions} StreamOptions */
/** @typedef {import("../../../static/environment.js").Environment} Environment */

/** The reports of a reader, in order, and its attempts. */
class Observations {
  /** Events, and `{ type: "open" }` for each stream. @type {Queue<any>} */
  events = new Queue();
  /** @type {Queue<any>} */
  losses = new Queue();
  /** @type {StateChange[]} */
  changes = [];
  /** @type {AbortSignal[]} */
  attempts = [];
  /** @type {(event: any) => void} */
  onEvent = () => {};
  /** @type {(loss: any) => void} */
  onLoss = () => {};
  /** @type {(change: StateChange) => void} */
  onState = () => {};

  get callbacks() {
    return {
      onOpen: () => this.events.push({ type: "open" }),
      onEvent: (/** @type {any} */ event) => {
        this.events.push(event);
        this.onEvent(event);
      },
      onState: (/** @type {StateChange} */ change) => {
        this.changes.push(change);
        this.onState(change);
      },
      onLoss: (/** @type {any} */ loss) => {
        this.losses.push(loss);
        this.onLoss(loss);
      },
    };
  }

  /**
   * @param {Environment} env
   * @returns {Environment}
   */
  counting(env) {
    return {
      ...env,
      fetch: (address, init) => {
        this.attempts.push(/** @type {AbortSignal} */ (init?.signal));
        return env.fetch(address, init);
      },
    };
  }
}

/** A reader that records its reports. */
export class ObservedReader extends StreamReader {
  seen;

  /**
   * @param {string} url
   * @param {Partial<StreamOptions>} [options]
   * @param {Partial<Environment>} [env]
   */
  constructor(url, options = {}, env = {}) {
    const seen = new Observations();
    super(url, seen.callbacks, options, seen.counting({ ...environment, ...env }));
    this.seen = seen;
  }

  get states() {
    return this.seen.changes.map(({ state }) => state);
  }

  get running() {
    return this.seen.attempts.filter((signal) => !signal.aborted).length;
  }
}
