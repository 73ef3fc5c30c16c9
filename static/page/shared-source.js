import { Link } from "../hub/hub-client.js";
import { CURSOR_SEPARATOR, STATE_EVENT, STREAM_PATH, SUB_PARAM } from "../protocol.js";
import { givenUp, limits, logLoss } from "./limits.js";

const CONNECTING = 0;
const OPEN = 1;
const CLOSED = 2;

let created = 0;

/** @typedef {import("../stream/stream-reader.js").SourceState} SourceState */

/**
 * A tab's end of one subscription at a hub. It is to its owner what a `FetchEventSource` is, and has no connection of its
 * own: its owner gets `open`, `sse:state` and `error` events, and the messages.
 */
export class SharedSource {
  withCredentials = true;
  lastEventId;
  heardAt = 0;
  #deliver;
  #link;
  #url;
  #grant = "";
  #readyState = CONNECTING;
  /** @type {SourceState} */
  #state = "connecting";
  /** @type {Set<string>} */
  #suspensions = new Set();
  /** Its name at the hub; a new one each time that it goes there. */
  #id = "";

  /**
   * Tell whether an address is one of the kit's streams, at this page's own server.
   *
   * @param {string} address
   */
  static serves(address) {
    const { origin, pathname, search } = new URL(address, document.baseURI);
    return origin === location.origin && pathname.endsWith(STREAM_PATH) && new URLSearchParams(search).has(SUB_PARAM);
  }

  /**
   * @param {string} url
   * @param {{ lastEventId: string, deliver: (event: Event) => void, sharedBy: string }} options `sharedBy` says whose
   *   sources its connection serves: the `browser`'s, the `page`'s, or this `element`'s alone
   */
  constructor(url, { lastEventId, deliver, sharedBy }) {
    this.lastEventId = lastEventId;
    this.#deliver = deliver;
    const { origin, pathname } = new URL(url, document.baseURI);
    this.#link = Link.to(origin + pathname, sharedBy);
    this.#url = this.#take(url);
    this.#subscribe();
  }

  get url() {
    return this.#url;
  }

  get readyState() {
    return this.#readyState;
  }

  get state() {
    return this.#state;
  }

  /** What the hub is to bring. @type {Omit<import("../hub/subscription.js").Wish, "id">} */
  get wish() {
    return { grant: this.#grant, cursor: this.lastEventId, cap: limits.checkInterval };
  }

  close() {
    this.#unsubscribe();
    this.#readyState = CLOSED;
    this.#state = "offline";
    this.#deliver = () => {};
  }

  /** @param {string} [reason] */
  suspend(reason = "page") {
    const already = this.#suspensions.size > 0;
    this.#suspensions.add(reason);
    if (this.#readyState === CLOSED || already) return;
    this.#unsubscribe();
    this.#readyState = CONNECTING;
    this.#become("offline");
  }

  /** @param {string} [reason] */
  resume(reason = "page") {
    if (this.#suspensions.delete(reason)) this.reconnectNow();
  }

  reconnectNow() {
    if (this.#suspensions.size > 0 || this.#readyState === CLOSED) return;
    if (this.#id) return this.#link.retry();
    this.#subscribe();
    this.#become("reconnecting");
  }

  /**
   * @param {string} url
   * @param {string} lastEventId
   */
  moveTo(url, lastEventId) {
    this.#unsubscribe();
    this.#url = this.#take(url);
    this.lastEventId = lastEventId;
    this.#readyState = CONNECTING;
    if (this.#suspensions.size > 0) return;
    this.#subscribe();
    if (this.#state !== "connecting") this.#become("reconnecting");
  }

  // ---------------------------------------------------------------- from the hub

  /**
   * @param {string} type
   * @param {any} what
   */
  receive(type, what) {
    if (type === "event") this.#pass(what);
    else if (type === "state") this.#change(what);
    else if (type === "denied") this.#refuse(what.reason);
    else if (type === "renewed") this.#grant = what.grant;
  }

  /**
   * Take note of how far the hub has been served.
   *
   * @param {string} id
   * @param {number} heardAt
   */
  reach(id, heardAt) {
    this.lastEventId = id;
    this.heardAt = heardAt;
  }

  /** @param {import("../stream/parser.js").StreamEvent} event */
  #pass({ type, data, lastEventId, ...own }) {
    if (lastEventId) this.lastEventId = lastEventId;
    this.heardAt = Date.now();
    const { origin } = new URL(this.#url);
    this.#deliver(Object.assign(new MessageEvent(type, { data, lastEventId, origin }), own));
  }

  /** @param {import("../hub/shared-connection.js").Change} change */
  #change({ state, ...loss }) {
    if (state === "live") return this.#open();
    const limited = { ...loss, ...(loss.tries === undefined ? {} : givenUp(loss.tries)) };
    if (loss.status !== undefined) logLoss(limited);
    if (limited.final) this.#unsubscribe();
    this.#readyState = limited.final ? CLOSED : CONNECTING;
    this.#become(limited.final ? "offline" : /** @type {SourceState} */ (state), limited);
    if (loss.status !== undefined) this.#deliver(Object.assign(new Event("error"), limited));
  }

  #open() {
    this.heardAt = Date.now();
    this.#readyState = OPEN;
    this.#become("live");
    this.#deliver(new Event("open"));
  }

  /** @param {string} reason */
  #refuse(reason) {
    this.#unsubscribe();
    this.#readyState = CLOSED;
    const loss = { status: 403, final: true, delay: 0, refusal: { denied: [{ reason }] }, error: null };
    this.#become("denied", loss);
    this.#deliver(Object.assign(new Event("error"), loss));
  }

  // ---------------------------------------------------------------- to the hub

  /**
   * Take up the grant, and its cursor, that an address names.
   *
   * @param {string} url
   * @returns {string} the address in full
   */
  #take(url) {
    const whole = new URL(url, document.baseURI);
    const [grant, cursor = ""] = (whole.searchParams.get(SUB_PARAM) ?? "").split(CURSOR_SEPARATOR);
    this.#grant = grant;
    this.lastEventId ||= cursor;
    return whole.href;
  }

  #subscribe() {
    created += 1;
    this.#id = String(created);
    this.#link.subscribe(this.#id, this);
  }

  #unsubscribe() {
    this.#link.unsubscribe(this.#id);
    this.#id = "";
  }

  /**
   * @param {SourceState} state
   * @param {object} [loss]
   */
  #become(state, loss) {
    if (this.#state === state && !loss) return;
    this.#state = state;
    this.#deliver(Object.assign(new Event(STATE_EVENT), { detail: { state, ...loss } }));
  }
}
