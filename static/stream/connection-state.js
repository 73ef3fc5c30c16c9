import { STATES } from "../protocol.js";

/** @typedef {"connecting" | "live" | "reconnecting" | "offline" | "denied"} State of a connection */
/** @typedef {State | "stale"} ShownState of what a page shows: `stale` while its content has a gap */
/** @typedef {"attempted" | "opened" | "lost" | "moved" | "suspended" | "denied" | "ended" | "closed"} Transition */

/**
 * @typedef {object} Loss how the last attempt failed
 * @property {number} status of the response; 0 without a response
 * @property {boolean} final whether there will be no other attempt
 * @property {number} delay milliseconds until the next attempt
 * @property {number} [tries] attempts in a row that failed
 * @property {any} [refusal] the JSON of a response that refuses; null without
 * @property {unknown} [error] what broke the connection; null if it ended
 * @property {string} [reason] why the content stays `stale`: docs/healing.md lists the reasons
 */

/** @typedef {{ state: ShownState } & Partial<Loss>} StateChange */

// As in EventSource.
export const CONNECTING = 0;
export const OPEN = 1;
export const CLOSED = 2;

/**
 * Where each transition leads. Without a state, the state stays. `waiting` stands for `reconnecting`, or `offline` if the
 * browser has no network.
 *
 * @type {Record<Transition, { readyState: 0 | 1 | 2, state?: State | "waiting" }>}
 */
const TRANSITIONS = {
  attempted: { readyState: CONNECTING, state: "waiting" },
  opened: { readyState: OPEN, state: "live" },
  lost: { readyState: CONNECTING, state: "waiting" },
  moved: { readyState: CONNECTING },
  suspended: { readyState: CONNECTING, state: "offline" },
  denied: { readyState: CLOSED, state: "denied" },
  ended: { readyState: CLOSED, state: "offline" },
  closed: { readyState: CLOSED, state: "offline" },
};

/**
 * The state of one connection: the only place that decides which state follows which.
 *
 * - A first attempt is `connecting`; every later one is `reconnecting`.
 * - A connection that the server refused (`denied`) or ended stays so until it has `moved`.
 * - `closed` is final, and fires no event.
 */
export class ConnectionState {
  /** @type {State} */
  #state = "connecting";
  /** @type {0 | 1 | 2} */
  #readyState = CONNECTING;
  #isClosed = false;
  #onChange;

  /** @param {(change: StateChange) => void} onChange called when the state changes, and at every loss */
  constructor(onChange) {
    this.#onChange = onChange;
  }

  get state() {
    return this.#state;
  }

  get readyState() {
    return this.#readyState;
  }

  get isClosed() {
    return this.#isClosed;
  }

  /**
   * @param {Transition} transition
   * @param {{ isOnline?: boolean, loss?: Loss }} [options] `loss` says which failure led to it
   */
  apply(transition, { isOnline = true, loss } = {}) {
    if (this.#isClosed || (transition === "suspended" && this.#readyState === CLOSED)) return;
    const before = this.#state;
    this.#state = this.#next(transition, isOnline);
    this.#readyState = TRANSITIONS[transition].readyState;
    this.#isClosed = transition === "closed";
    if (!this.#isClosed && (this.#state !== before || loss)) this.#onChange({ state: this.#state, ...loss });
  }

  /**
   * @param {Transition} transition
   * @param {boolean} isOnline
   * @returns {State}
   */
  #next(transition, isOnline) {
    const { state = this.#state } = TRANSITIONS[transition];
    if (state !== "waiting") return state;
    if (transition === "attempted" && this.#state === "connecting") return "connecting";
    return isOnline ? "reconnecting" : "offline";
  }
}

/**
 * Return the state of content: whatever its connection does, it is `stale` while it has a gap, and `denied` when the server
 * refuses what would fill the gap.
 *
 * @param {State} state of its connection
 * @param {{ isStale: boolean, isRefused?: boolean }} content
 * @returns {ShownState}
 */
export function contentState(state, { isStale, isRefused = false }) {
  if (!isStale) return state;
  return isRefused ? "denied" : "stale";
}

/**
 * @param {ShownState[]} states
 * @returns {string} the worst of them; `idle` if there is none
 */
export function worstState(states) {
  return states.length > 0 ? STATES[Math.max(...states.map((state) => STATES.indexOf(state)))] : "idle";
}
