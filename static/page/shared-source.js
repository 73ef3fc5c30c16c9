import { dom } from "../dom.js";
import { environment } from "../environment.js";
import { HubClient } from "../hub/hub-client.js";
import { CURSOR_SEPARATOR, STREAM_PATH, SUB_PARAM } from "../protocol.js";
import { CLOSED, ConnectionState } from "../stream/connection-state.js";
import { applyMaxRetries, limits, logLoss } from "./limits.js";
import { SANDBOXED } from "./refusal.js";

/** @typedef {import("../hub/tab-port.js").Payload} Payload */
/** @typedef {import("../stream/connection-state.js").StateChange} StateChange */
/** @typedef {import("../stream/connection-state.js").Loss} Loss */

const ELEMENT = "element";
let created = 0;
/** The sources of this page that do not use the shared connection. @type {Set<SharedSource>} */
const apart = new Set();

/**
 * A page's end of one subscription at a hub. It has the interface of a `StreamReader`, and shares the hub's connection.
 */
export class SharedSource {
  withCredentials = true;
  lastEventId;
  heardAt = 0;
  #callbacks;
  /** @type {HubClient} */
  #client;
  #environment;
  #connection;
  #url;
  #grant = "";
  /** @type {Set<string>} */
  #suspensions = new Set();
  /** The id of the subscription at the hub, another one each time; "" without a subscription. */
  #id = "";

  /**
   * Tell whether an address is one of the kit's streams on this page's server.
   *
   * @param {string} address
   */
  static serves(address) {
    const { origin, pathname, search } = new URL(address, dom(document).baseURI);
    return origin === location.origin && pathname.endsWith(STREAM_PATH) && new URLSearchParams(search).has(SUB_PARAM);
  }

  /**
   * @param {string} url
   * @param {import("../stream/stream-reader.js").StreamCallbacks} callbacks
   * @param {{ lastEventId: string, sharedBy: string, suspendedBy?: string }} options `sharedBy`: which subscriptions the
   *   connection serves: the `browser`'s, the `page`'s, or this `element`'s; `suspendedBy`: why it does not begin at once
   */
  constructor(url, callbacks, { lastEventId, sharedBy, suspendedBy = "" }, env = environment) {
    this.lastEventId = lastEventId;
    this.#callbacks = callbacks;
    this.#environment = env;
    this.#connection = new ConnectionState((change) => callbacks.onState?.(change));
    const { origin, pathname } = new URL(url, dom(document).baseURI);
    this.#url = this.#adoptGrant(url);
    const carrier = this.#findCarrier();
    this.#client = carrier ? carrier.#client : HubClient.for(origin + pathname, sharedBy);
    if (carrier || sharedBy === ELEMENT) apart.add(this);
    // The origin of a sandboxed page is opaque: `location` still has that of its address.
    if (Reflect.get(globalThis, "origin") === "null") queueMicrotask(() => this.#deny(SANDBOXED));
    else if (suspendedBy) this.#suspensions.add(suspendedBy);
    else this.#subscribe();
  }

  get url() {
    return this.#url;
  }

  get origin() {
    return new URL(this.#url).origin;
  }

  get readyState() {
    return this.#connection.readyState;
  }

  get state() {
    return this.#connection.state;
  }

  close() {
    apart.delete(this);
    this.#unsubscribe();
    this.#connection.apply("closed");
  }

  /** @param {string} [reason] */
  suspend(reason = "page") {
    const isSuspended = this.#suspensions.size > 0;
    this.#suspensions.add(reason);
    if (this.readyState === CLOSED || isSuspended) return;
    this.#unsubscribe();
    this.#connection.apply("suspended");
  }

  /** @param {string} [reason] */
  resume(reason = "page") {
    if (this.#suspensions.delete(reason)) this.reconnectNow();
  }

  reconnectNow() {
    if (this.#suspensions.size > 0 || this.readyState === CLOSED) return;
    if (this.#id) return this.#client.reconnectNow();
    this.#subscribe();
    this.#connection.apply("attempted");
  }

  /**
   * @param {string} url
   * @param {string} lastEventId
   */
  moveTo(url, lastEventId) {
    this.#unsubscribe();
    this.#url = this.#adoptGrant(url);
    this.lastEventId = lastEventId;
    this.#connection.apply("moved");
    if (this.#suspensions.size > 0 || this.#connection.isClosed) return;
    this.#subscribe();
    this.#connection.apply("attempted");
  }

  // ---------------------------------------------------------------- what the hub client calls

  get request() {
    return { grant: this.#grant, cursor: this.lastEventId, cap: limits.checkInterval };
  }

  /** @param {Payload} delivery */
  receive({ type, payload }) {
    if (type === "event") this.#receiveEvent(payload);
    else if (type === "state") this.#changeState(payload);
    else if (type === "denied") this.#deny(payload.reason);
    else this.#grant = payload.grant;
  }

  /**
   * @param {string} cursor
   * @param {number} heardAt milliseconds since the epoch
   */
  advance(cursor, heardAt) {
    this.lastEventId = cursor;
    this.heardAt = heardAt;
  }

  /** @param {import("../stream/parser.js").StreamEvent} event */
  #receiveEvent(event) {
    if (event.lastEventId) this.lastEventId = event.lastEventId;
    this.heardAt = this.#environment.now();
    this.#callbacks.onEvent(event);
  }

  /** @param {StateChange} change of the hub's connection */
  #changeState({ state, ...failure }) {
    if (state === "live") return this.#open();
    const isOnline = state !== "offline";
    if (failure.status === undefined) this.#connection.apply("lost", { isOnline });
    else this.#lose(applyMaxRetries(/** @type {Loss} */ (failure)), isOnline);
  }

  #open() {
    this.heardAt = this.#environment.now();
    this.#connection.apply("opened");
    if (!this.#connection.isClosed) this.#callbacks.onOpen?.();
  }

  /**
   * @param {Loss} loss
   * @param {boolean} isOnline
   */
  #lose(loss, isOnline) {
    logLoss(loss);
    if (loss.final) this.#unsubscribe();
    this.#connection.apply(loss.final ? "ended" : "lost", { isOnline, loss });
    if (!this.#connection.isClosed) this.#callbacks.onLoss?.(loss);
  }

  /** @param {string} reason */
  #deny(reason) {
    this.#unsubscribe();
    const loss = { status: 403, final: true, delay: 0, refusal: { denied: [{ reason }] }, error: null };
    this.#connection.apply("denied", { loss });
    if (!this.#connection.isClosed) this.#callbacks.onLoss?.(loss);
  }

  // ---------------------------------------------------------------- the subscription

  /**
   * Adopt the grant that an address names, and its cursor if there is none yet.
   *
   * @param {string} url
   * @returns {string} the absolute address
   */
  #adoptGrant(url) {
    const { href, searchParams } = new URL(url, dom(document).baseURI);
    const [grant, cursor = ""] = (searchParams.get(SUB_PARAM) ?? "").split(CURSOR_SEPARATOR);
    this.#grant = grant;
    this.lastEventId ||= cursor;
    return href;
  }

  /**
   * Return the source whose connection has to bring what this one follows: the grant of what a message has brought is valid
   * only beside one for the channel of that message.
   */
  #findCarrier() {
    const { via } = namesIn(this.#grant);
    return via && [...apart].find((source) => namesIn(source.#grant).channels.includes(via));
  }

  #subscribe() {
    created += 1;
    this.#id = String(created);
    this.#client.subscribe(this.#id, this);
  }

  #unsubscribe() {
    this.#client.unsubscribe(this.#id);
    this.#id = "";
  }
}

/**
 * Return the names in a grant, as they are written there: its channels, and the one that it is limited to.
 *
 * @param {string} grant
 */
function namesIn(grant) {
  const [listed, via = ""] = grant.split(".", 1)[0].split("--").reverse();
  return { channels: listed.split("-"), via };
}
