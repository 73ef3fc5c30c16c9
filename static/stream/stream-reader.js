import {
  HEARTBEAT_SECONDS,
  LAST_EVENT_ID,
  LIVENESS_HEARTBEATS,
  OPEN_EVENT,
  RETRY_BASE_MS,
  STATE_EVENT,
} from "../protocol.js";
import { EventStreamParser } from "./parser.js";
import { readStream } from "./read-stream.js";
import { decide, LONGEST_TIMEOUT_MS } from "./retry-policy.js";

const CONNECTING = 0;
const OPEN = 1;
const CLOSED = 2;

/** @typedef {"connecting" | "live" | "reconnecting" | "offline" | "denied"} SourceState */

/**
 * @typedef {object} Environment what a source needs from the world; tests give their own
 * @property {boolean} withCredentials
 * @property {string} lastEventId where to resume from
 * @property {number} heartbeat seconds, until the server names its own; 0 for a server without
 * @property {(() => RequestInit) | null} request what to send, asked at each attempt, for a source that does not resume by
 *   `Last-Event-ID`
 * @property {((event: Event) => void) | null} deliver who gets the events, if not the source's own listeners
 * @property {typeof decide} policy
 * @property {typeof globalThis.fetch} fetch
 * @property {() => number} random
 * @property {() => number} now milliseconds since the epoch
 * @property {() => boolean} online
 * @property {(callback: () => void, milliseconds: number) => any} setTimeout
 * @property {(timer: any) => void} clearTimeout
 */

/** @type {Environment} */
const DEFAULTS = {
  withCredentials: false,
  lastEventId: "",
  heartbeat: HEARTBEAT_SECONDS,
  request: null,
  deliver: null,
  policy: decide,
  fetch: (...request) => globalThis.fetch(...request),
  random: Math.random,
  now: Date.now,
  online: () => globalThis.navigator?.onLine !== false,
  setTimeout: (callback, milliseconds) => globalThis.setTimeout(callback, milliseconds),
  clearTimeout: (timer) => globalThis.clearTimeout(timer),
};

/**
 * An EventSource over `fetch`: it sends `Last-Event-ID`, sees status codes, and notices a stream that has gone silent.
 *
 * Beyond EventSource's interface:
 * - messages have a `channel`, and in `exclude` and `only` the tabs that are to leave them out, or alone to show them;
 * - `error` events have `status` (0 without a response), `final`, `delay` (milliseconds until the next attempt), `tries`
 *   (attempts in a row that came to nothing), `refusal` (the JSON of an answer that refuses) and `error` (what broke the
 *   connection, or null);
 * - `state`, and an `sse:state` event with `detail.state` when it changes, and with what an `error` has when an attempt
 *   has failed: `offline` means that no attempt runs or is to be hoped for, because the network is off, the source is
 *   suspended, or the server said so;
 * - `reconnectNow()`, `suspend()` and `resume()`, for a page's life cycle.
 *
 * There is one attempt at a time, and what an aborted one still brings is ignored. There is one timer: while an
 * attempt runs it is the watchdog, between two attempts it is the wait.
 */
export class FetchEventSource extends EventTarget {
  static CONNECTING = CONNECTING;
  static OPEN = OPEN;
  static CLOSED = CLOSED;
  CONNECTING = CONNECTING;
  OPEN = OPEN;
  CLOSED = CLOSED;

  /** @type {((event: any) => void) | null} */
  onopen = null;
  /** @type {((event: any) => void) | null} */
  onmessage = null;
  /** @type {((event: any) => void) | null} */
  onerror = null;

  #env;
  #url;
  #lastEventId;
  #readyState = CONNECTING;
  /** @type {SourceState} */
  #state = "connecting";
  #origin = "";
  #closed = false;
  /** @type {Set<string>} */
  #suspensions = new Set();

  /** @type {AbortController | null} */
  #attempt = null;
  /** @type {any} */
  #timer = null;
  #heartbeat = 0;
  #heardAt = 0;
  #openedAt = 0;

  #retry = RETRY_BASE_MS;
  #tries = 0;
  #notBefore = 0;

  /**
   * @param {string | URL} url
   * @param {Partial<Environment>} [options]
   */
  constructor(url, options = {}) {
    super();
    this.#env = { ...DEFAULTS, ...options };
    this.#url = absolute(url);
    this.#lastEventId = this.#env.lastEventId;
    this.addEventListener("open", (event) => this.onopen?.(event));
    this.addEventListener("message", (event) => this.onmessage?.(event));
    this.addEventListener("error", (event) => this.onerror?.(event));
    this.#connect();
  }

  get url() {
    return this.#url;
  }

  get withCredentials() {
    return this.#env.withCredentials;
  }

  get readyState() {
    return this.#readyState;
  }

  get state() {
    return this.#state;
  }

  /** The id from which the next connection resumes. */
  get lastEventId() {
    return this.#lastEventId;
  }

  /** When the last bytes came, or else the attempt began, in milliseconds since the epoch. */
  get heardAt() {
    return this.#heardAt;
  }

  /** End it for good. No event is fired from here on. */
  close() {
    this.#closed = true;
    this.#stop();
    this.#readyState = CLOSED;
    this.#state = "offline";
  }

  /**
   * Let go of the connection until `resume()` has been called for each reason that there was.
   *
   * @param {string} [reason] by default, the page is frozen, or kept for the way back
   */
  suspend(reason = "page") {
    const already = this.#suspensions.size > 0;
    this.#suspensions.add(reason);
    if (this.#readyState === CLOSED || already) return;
    this.#stop();
    this.#readyState = CONNECTING;
    this.#become("offline");
  }

  /**
   * Connect again after `suspend()`, from the last id.
   *
   * @param {string} [reason]
   */
  resume(reason = "page") {
    if (this.#suspensions.delete(reason)) this.reconnectNow();
  }

  /**
   * Try at once if nothing is open, if it has gone silent, or if an attempt waits for its answer for so long that it may
   * be lost; but never before a `Retry-After`.
   */
  reconnectNow() {
    if (this.#attempt) this.#watch();
    if (this.#isOverdue()) this.#stop();
    if (this.#attempt || this.#suspensions.size > 0 || this.#readyState === CLOSED) return;
    this.#tries = 0;
    const hold = this.#notBefore - this.#env.now();
    if (hold > 0) this.#after(hold, () => this.#connect());
    else this.#connect();
  }

  /**
   * Go on elsewhere: at another address, after another id. This revives a source that the server had refused.
   *
   * @param {string | URL} url
   * @param {string} lastEventId
   */
  moveTo(url, lastEventId) {
    this.#url = absolute(url);
    this.#lastEventId = lastEventId;
    if (this.#closed) return;
    this.#stop();
    this.#readyState = CONNECTING;
    if (this.#suspensions.size === 0) this.#connect();
  }

  #connect() {
    this.#attempt = new AbortController();
    this.#heartbeat = this.#env.heartbeat;
    this.#heardAt = this.#env.now();
    this.#watch();
    this.#read(this.#attempt.signal);
    if (this.#state !== "connecting") this.#become(this.#stateWithout());
  }

  /** @param {AbortSignal} signal */
  async #read(signal) {
    const parser = this.#parser(signal);
    const outcome = await readStream(this.#url, {
      fetch: this.#env.fetch,
      init: this.#request(signal),
      onOpen: (response) => this.#open(response),
      onBytes: (bytes) => {
        this.#heardAt = this.#env.now();
        parser.feed(bytes);
      },
    });
    if (!signal.aborted) this.#lose(outcome);
  }

  /**
   * @param {AbortSignal} signal a listener may abort in the middle of a chunk
   * @returns {EventStreamParser}
   */
  #parser(signal) {
    return new EventStreamParser(
      {
        onId: (id) => {
          if (!signal.aborted) this.#lastEventId = id;
        },
        onRetry: (milliseconds) => {
          if (!signal.aborted) this.#retry = milliseconds;
        },
        onEvent: (event) => {
          if (!signal.aborted) this.#deliver(event);
        },
      },
      this.#lastEventId,
    );
  }

  /**
   * @param {AbortSignal} signal
   * @returns {RequestInit & { signal: AbortSignal }}
   */
  #request(signal) {
    const own = this.#env.request?.();
    const headers = new Headers({ Accept: "text/event-stream" });
    if (!own && this.#lastEventId) headers.set(LAST_EVENT_ID, utf8Header(this.#lastEventId));
    const credentials = this.withCredentials ? "include" : "same-origin";
    return { ...own, signal, headers, cache: "no-store", credentials };
  }

  /** @param {Response} response */
  #open(response) {
    this.#readyState = OPEN;
    this.#openedAt = this.#heardAt = this.#env.now();
    this.#origin = new URL(response.url || this.#url).origin;
    this.#become("live");
    this.#fire(new Event("open"));
  }

  /** @param {import("./parser.js").StreamEvent} event */
  #deliver({ type, data, lastEventId, ...own }) {
    if (type === OPEN_EVENT) this.#learn(JSON.parse(data));
    this.#fire(Object.assign(new MessageEvent(type, { data, lastEventId, origin: this.#origin }), own));
  }

  /** @param {{ heartbeat?: unknown }} greeting */
  #learn({ heartbeat }) {
    if (typeof heartbeat !== "number") return;
    this.#heartbeat = heartbeat;
    this.#watch();
  }

  /** Give the attempt up if it has been silent for too long, or look again when it will have been. */
  #watch() {
    const limit = this.#heartbeat * LIVENESS_HEARTBEATS * 1000;
    const silent = this.#env.now() - this.#heardAt;
    const clockWentBack = silent < 0;
    if (limit <= 0) this.#cancelTimer();
    else if (silent < limit && !clockWentBack) this.#after(limit - silent, () => this.#watch());
    else this.#lose({ status: 0, error: new DOMException(`no byte for ${limit} ms`, "TimeoutError") });
  }

  /** Whether an attempt under way has been without an answer for longer than a next one would be put off. */
  #isOverdue() {
    return this.#readyState === CONNECTING && this.#env.now() - this.#heardAt > this.#retry;
  }

  /** @param {Partial<import("./read-stream.js").Outcome> & { status: number }} outcome */
  #lose({ status, contentType, retryAfter, date, refusal = null, error = null }) {
    const now = this.#env.now();
    const lived = this.#readyState === OPEN ? now - this.#openedAt : 0;
    const past = { tries: this.#tries, lived, base: this.#retry };
    const answer = { status, contentType, retryAfter, now: date || now };
    const { final, delay, binding, tries } = this.#env.policy({ ...answer, ...past, random: this.#env.random });
    this.#stop();
    this.#tries = tries;
    this.#notBefore = binding ? now + delay : 0;
    this.#readyState = final ? CLOSED : CONNECTING;
    if (!final) this.#after(delay, () => this.#connect());
    const loss = { status, final, delay, tries, refusal, error };
    this.#become(final ? finalState(status) : this.#stateWithout(), loss);
    this.#fire(Object.assign(new Event("error"), loss));
  }

  #stop() {
    this.#cancelTimer();
    this.#attempt?.abort();
    this.#attempt = null;
  }

  /**
   * @param {number} milliseconds
   * @param {() => void} callback
   */
  #after(milliseconds, callback) {
    this.#cancelTimer();
    this.#timer = this.#env.setTimeout(callback, Math.min(milliseconds, LONGEST_TIMEOUT_MS));
  }

  #cancelTimer() {
    this.#env.clearTimeout(this.#timer);
  }

  /** @returns {SourceState} */
  #stateWithout() {
    return this.#env.online() ? "reconnecting" : "offline";
  }

  /**
   * @param {SourceState} state
   * @param {{ status: number, final: boolean, delay: number, tries: number, refusal: unknown, error: unknown }} [loss] what
   *   has led to it
   */
  #become(state, loss) {
    if (this.#state === state && !loss) return;
    this.#state = state;
    this.#fire(Object.assign(new Event(STATE_EVENT), { detail: { state, ...loss } }));
  }

  /** @param {Event} event */
  #fire(event) {
    if (this.#closed) return;
    if (this.#env.deliver) this.#env.deliver(event);
    else this.dispatchEvent(event);
  }
}

/** @param {string | URL} url */
function absolute(url) {
  return new URL(url, globalThis.document?.baseURI ?? globalThis.location?.href).href;
}

/**
 * @param {number} status
 * @returns {SourceState}
 */
function finalState(status) {
  return status === 401 || status === 403 ? "denied" : "offline";
}

/**
 * A header value is bytes, each written as one character.
 *
 * @param {string} text
 * @returns {string}
 */
function utf8Header(text) {
  return String.fromCharCode(...new TextEncoder().encode(text));
}
