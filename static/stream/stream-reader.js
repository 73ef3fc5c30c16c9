import { dom } from "../dom.js";
import { environment } from "../environment.js";
import {
  HEARTBEAT_HEADER,
  HEARTBEAT_SECONDS,
  LAST_EVENT_ID,
  LIVENESS_HEARTBEATS,
  OPEN_EVENT,
  RETRY_BASE_MS,
} from "../protocol.js";
import { Timer } from "../timer.js";
import { CLOSED, CONNECTING, ConnectionState, OPEN } from "./connection-state.js";
import { EventStreamParser } from "./parser.js";
import { readStream } from "./read-stream.js";
import { decide } from "./retry-policy.js";

/** @typedef {import("./connection-state.js").Loss} Loss */
/** @typedef {import("./connection-state.js").StateChange} StateChange */
/** @typedef {import("./parser.js").StreamEvent} StreamEvent */

/**
 * @typedef {object} StreamCallbacks
 * @property {(event: StreamEvent) => void} onEvent
 * @property {() => void} [onOpen]
 * @property {() => void} [onHeard] called when bytes have come, a heartbeat's as well
 * @property {(change: StateChange) => void} [onState] called before `onOpen` and `onLoss`
 * @property {(loss: Loss) => void} [onLoss] called whenever an attempt fails or a stream ends
 */

/**
 * @typedef {object} StreamOptions
 * @property {boolean} withCredentials
 * @property {string} lastEventId the id to resume from
 * @property {string} suspendedBy why it does not connect at once; "" if it does
 * @property {number} heartbeat seconds, until the server sends its own; 0 for a server that may have none, whose stream may be
 *   silent for as long as it likes until it says its heartbeat
 * @property {(() => RequestInit) | null} request returns the request of an attempt; such a stream does not send
 *   `Last-Event-ID`
 * @property {typeof decide} policy
 */

/** The comment by which a stream that is not the kit's says its heartbeat, in seconds. */
const HEARTBEAT_COMMENT = /^heartbeat (\d+(?:\.\d+)?)$/;

// A connection that the browser keeps for reuse may be dead, and only an attempt that is given up makes it take another. Over
// HTTP/1.1 it keeps six for a server, so as many attempts wait this long for a response; further ones wait as long as a stream
// may be silent, because the server may be slow.
const ANSWER_MS = 10_000;
const KEPT_CONNECTIONS = 6;

/** @type {StreamOptions} */
const DEFAULTS = {
  withCredentials: false,
  lastEventId: "",
  heartbeat: HEARTBEAT_SECONDS,
  request: null,
  policy: decide,
  suspendedBy: "",
};

/**
 * Reads an event stream with `fetch`, and reconnects: it sends `Last-Event-ID`, sees status codes, and gives up a stream that
 * has been silent for too long.
 *
 * It makes one attempt at a time and ignores what an aborted attempt still brings. It has one timer: the watchdog of a
 * running attempt, or the delay between two attempts.
 */
export class StreamReader {
  #callbacks;
  #options;
  #environment;
  #connection;
  #url;
  #lastEventId;
  #origin = "";
  /** @type {Set<string>} */
  #suspensions = new Set();

  /** @type {AbortController | null} */
  #attempt = null;
  #timer;
  #heartbeat = 0;
  #heardAt = 0;
  #openedAt = 0;

  /** Milliseconds that the server asked to wait, if it has. @type {number | null} */
  #retry = null;
  #tries = 0;
  #notBefore = 0;
  /** Whether the next attempt goes without `Last-Event-ID`. */
  #omitsId = false;
  /** Whether the server has answered a request with `Last-Event-ID`. */
  #maySendId = false;
  #sentId = false;

  /**
   * @param {string | URL} url
   * @param {StreamCallbacks} callbacks
   * @param {Partial<StreamOptions>} [options]
   * @param {import("../environment.js").Environment} [env]
   */
  constructor(url, callbacks, options = {}, env = environment) {
    this.#callbacks = callbacks;
    this.#options = { ...DEFAULTS, ...options };
    this.#environment = env;
    this.#connection = new ConnectionState((change) => callbacks.onState?.(change));
    this.#timer = new Timer(env);
    this.#url = toAbsolute(url);
    this.#lastEventId = this.#options.lastEventId;
    if (this.#options.suspendedBy) this.#suspensions.add(this.#options.suspendedBy);
    else this.#connect();
  }

  get url() {
    return this.#url;
  }

  /** The origin of the last stream, which a redirect may have changed. */
  get origin() {
    return this.#origin;
  }

  get withCredentials() {
    return this.#options.withCredentials;
  }

  get readyState() {
    return this.#connection.readyState;
  }

  get state() {
    return this.#connection.state;
  }

  /** The id that the next attempt resumes from. */
  get lastEventId() {
    return this.#lastEventId;
  }

  /** When the last bytes came, or else the attempt began, in milliseconds since the epoch. */
  get heardAt() {
    return this.#heardAt;
  }

  /** Close the stream for good. No callback is called after that. */
  close() {
    this.#stop();
    this.#connection.apply("closed");
  }

  /**
   * Drop the connection until `resume()` has been called for each reason.
   *
   * @param {string} [reason] by default, that the page is frozen or in the back/forward cache
   */
  suspend(reason = "page") {
    const isSuspended = this.#suspensions.size > 0;
    this.#suspensions.add(reason);
    if (this.readyState === CLOSED || isSuspended) return;
    this.#stop();
    this.#connection.apply("suspended");
  }

  /** @param {string} [reason] */
  resume(reason = "page") {
    if (this.#suspensions.delete(reason)) this.reconnectNow();
  }

  /**
   * Connect now instead of later. This also replaces a stream that has been silent for too long, and an attempt that has
   * waited for its response for longer than the next delay; but it never shortens a `Retry-After`.
   */
  reconnectNow() {
    if (this.#attempt) this.#watch();
    if (this.#isOverdue()) this.#stop();
    if (this.#attempt || this.#suspensions.size > 0 || this.readyState === CLOSED) return;
    this.#tries = 0;
    const delay = this.#notBefore - this.#environment.now();
    if (delay > 0) this.#timer.start(delay, () => this.#connect());
    else this.#connect();
  }

  /**
   * Continue at another address, after another id, even if the server had refused the last one.
   *
   * @param {string | URL} url
   * @param {string} lastEventId
   */
  moveTo(url, lastEventId) {
    this.#url = toAbsolute(url);
    this.#lastEventId = lastEventId;
    if (this.#connection.isClosed) return;
    this.#stop();
    this.#connection.apply("moved");
    if (this.#suspensions.size === 0) this.#connect();
  }

  // ---------------------------------------------------------------- an attempt

  #connect() {
    if (!isHttp(this.#url)) return this.#refuseScheme();
    this.#attempt = new AbortController();
    this.#heartbeat = this.#options.heartbeat;
    this.#heardAt = this.#environment.now();
    this.#watch();
    this.#read(this.#attempt.signal);
    this.#connection.apply("attempted", { isOnline: this.#environment.online() });
  }

  /** There is no stream at such an address, however often it is tried: say so once. */
  #refuseScheme() {
    const error = new DOMException(`a stream's address begins with http: or https:, not ${this.#url}`, "SyntaxError");
    const loss = { status: 0, final: true, delay: 0, tries: 0, refusal: null, error };
    queueMicrotask(() => {
      this.#connection.apply("ended", { loss });
      if (!this.#connection.isClosed) this.#callbacks.onLoss?.(loss);
    });
  }

  /** @param {AbortSignal} signal */
  async #read(signal) {
    const parser = this.#newParser(signal);
    const outcome = await readStream(this.#url, {
      fetch: this.#environment.fetch,
      init: this.#newRequest(signal),
      onOpen: (response) => this.#open(response),
      onBytes: (bytes) => {
        this.#heardAt = this.#environment.now();
        parser.feed(bytes);
        if (!signal.aborted) this.#callbacks.onHeard?.();
      },
    });
    if (!signal.aborted) this.#lose(outcome);
  }

  /**
   * @param {AbortSignal} signal a callback may abort the attempt in the middle of a chunk
   * @returns {EventStreamParser}
   */
  #newParser(signal) {
    return new EventStreamParser(
      {
        onComment: (text) => {
          const [, seconds] = HEARTBEAT_COMMENT.exec(text) ?? [];
          if (seconds && !signal.aborted) this.#adoptHeartbeat({ heartbeat: Number(seconds) });
        },
        onId: (id) => {
          if (!signal.aborted) this.#lastEventId = id;
        },
        onRetry: (milliseconds) => {
          if (!signal.aborted) this.#retry = milliseconds;
        },
        onEvent: (event) => {
          if (!signal.aborted) this.#receive(event);
        },
      },
      this.#lastEventId,
    );
  }

  /**
   * @param {AbortSignal} signal
   * @returns {RequestInit & { signal: AbortSignal }}
   */
  #newRequest(signal) {
    const { request, withCredentials } = this.#options;
    const headers = new Headers({ Accept: "text/event-stream" });
    this.#sentId = !request && this.#lastEventId !== "" && !this.#omitsId;
    if (this.#sentId) headers.set(LAST_EVENT_ID, toHeaderValue(this.#lastEventId));
    const credentials = withCredentials ? "include" : "same-origin";
    return { ...request?.(), signal, headers, cache: "no-store", credentials };
  }

  /** @param {Response} response */
  #open(response) {
    this.#openedAt = this.#heardAt = this.#environment.now();
    this.#origin = new URL(response.url || this.#url).origin;
    this.#maySendId ||= this.#sentId;
    const heartbeat = Number(response.headers.get(HEARTBEAT_HEADER));
    if (heartbeat > 0) this.#adoptHeartbeat({ heartbeat });
    this.#connection.apply("opened");
    if (!this.#connection.isClosed) this.#callbacks.onOpen?.();
  }

  /** @param {StreamEvent} event */
  #receive(event) {
    if (event.type === OPEN_EVENT) this.#adoptHeartbeat(JSON.parse(event.data));
    this.#callbacks.onEvent(event);
  }

  /** @param {{ heartbeat?: unknown }} greeting */
  #adoptHeartbeat({ heartbeat }) {
    if (typeof heartbeat !== "number") return;
    this.#heartbeat = heartbeat;
    this.#watch();
  }

  /** Give up an attempt that has been silent for too long, or check again when it could have been. */
  #watch() {
    const limit = this.#silenceLimit();
    const silence = this.#environment.now() - this.#heardAt;
    const wasClockSetBack = silence < 0;
    if (limit <= 0) this.#timer.stop();
    else if (silence < limit && !wasClockSetBack) this.#timer.start(limit - silence, () => this.#watch());
    else this.#lose({ status: 0, error: new DOMException(`no byte for ${limit} ms`, "TimeoutError") });
  }

  /** @returns {number} milliseconds without a byte after which an attempt is given up; 0 for never */
  #silenceLimit() {
    const limit = this.#heartbeat * LIVENESS_HEARTBEATS * 1000;
    return this.readyState === OPEN || this.#tries >= KEPT_CONNECTIONS ? limit : Math.min(limit, ANSWER_MS);
  }

  /**
   * Whether the running attempt has waited for its response for longer than the next one would be delayed. A server without
   * heartbeats may need that long: asked again, it would begin its work again.
   */
  #isOverdue() {
    if (this.#options.heartbeat === 0) return false;
    return this.readyState === CONNECTING && this.#environment.now() - this.#heardAt > (this.#retry ?? RETRY_BASE_MS);
  }

  /** @param {Partial<import("./read-stream.js").Outcome> & { status: number }} outcome */
  #lose({ status, contentType, retryAfter, date, refusal = null, error = null }) {
    const { now, random, online } = this.#environment;
    if (status === 0 && this.readyState === CONNECTING && this.#needsPreflight()) this.#omitsId = !this.#omitsId;
    const { final, delay, binding, tries } = this.#options.policy({
      status,
      contentType,
      retryAfter,
      now: date || now(),
      tries: this.#tries,
      lived: this.readyState === OPEN ? now() - this.#openedAt : 0,
      asked: this.#retry,
      random,
    });
    this.#stop();
    this.#tries = tries;
    this.#notBefore = binding ? now() + delay : 0;
    if (!final) this.#timer.start(delay, () => this.#connect());
    const loss = { status, final, delay, tries, refusal, error };
    this.#connection.apply(final ? finalTransition(status) : "lost", { isOnline: online(), loss });
    if (!this.#connection.isClosed) this.#callbacks.onLoss?.(loss);
  }

  /**
   * Whether the browser asks another origin, by OPTIONS, if it may send the id. A server made for `EventSource`, which sends it
   * without asking, often refuses: then every other attempt begins anew, as a first one does.
   */
  #needsPreflight() {
    const { location } = globalThis;
    const isElsewhere = location && new URL(this.#url).origin !== location.origin;
    return isElsewhere && !this.#maySendId && !this.#options.request && this.#lastEventId !== "";
  }

  #stop() {
    this.#timer.stop();
    this.#attempt?.abort();
    this.#attempt = null;
  }
}

/** @param {string | URL} url */
function toAbsolute(url) {
  return new URL(url, dom(globalThis.document)?.baseURI ?? globalThis.location?.href).href;
}

/** @param {string} url */
function isHttp(url) {
  return /^https?:/.test(url);
}

/** @param {number} status */
function finalTransition(status) {
  return status === 401 || status === 403 ? "denied" : "ended";
}

/**
 * Encode text as UTF-8, one character a byte, as `Headers` wants it.
 *
 * @param {string} text
 */
function toHeaderValue(text) {
  return String.fromCharCode(...new TextEncoder().encode(text));
}
