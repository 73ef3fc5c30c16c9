import { CURSOR_ATTRIBUTE, RESET_EVENT, SHARED_ATTRIBUTE, STATE_ATTRIBUTE, STATE_EVENT } from "../protocol.js";
import { cursor, isPast } from "../stream/cursor.js";
import { FetchEventSource } from "../stream/stream-reader.js";
import { heal } from "./heal.js";
import { decideWithin, logLoss } from "./limits.js";
import { SharedSource } from "./shared-source.js";
import { sources } from "./sources.js";
import { tabId } from "./tab.js";

const GAP = "gap";
// Leave that a page had when it was made: fetched anew, it brings what it has now.
const OUTDATED = ["expired", "foreign"];

/** @typedef {import("./message-queue.js").MessageQueue} MessageQueue */
/** @typedef {import("./message-queue.js").LogEvent} LogEvent */
/**
 * @typedef {object} Loss how the last attempt has failed
 * @property {number} [status]
 * @property {boolean} [final]
 * @property {number} [delay] milliseconds until the next attempt
 * @property {import("../hub/shared-connection.js").Refusal | null} [refusal]
 * @property {unknown} [error]
 */

/**
 * The source of one element, by interface an `EventSource`. It goes on after the cursor of the element's content, and applies
 * no event twice. The cursor keeps step with what is applied, so that a copy of the element, such as a history snapshot, says
 * what it holds.
 *
 * The kit's own streams come over a connection that is shared; others have one of their own.
 *
 * The element shows its state (`data-sse-state`) and tells of each change and each loss (`sse:state`). A gap is healed.
 */
export class PageSource extends EventTarget {
  /** @type {((event: any) => void) | null} */
  onopen = null;
  /** @type {((event: any) => void) | null} */
  onmessage = null;
  /** @type {((event: any) => void) | null} */
  onerror = null;
  /** Gets every message, whatever its type, for someone who takes them in his own time. @type {MessageQueue | null} */
  queue = null;
  #way;
  #received;
  #stale = false;
  #shown = "";
  /** Whether the page was fetched anew for leave that was outdated, and that has led to nothing yet. */
  #renewed = false;
  /** Whether the server would not give it anew, either. */
  #out = false;

  /**
   * @param {string} url
   * @param {Element | null} element the element that connects, if it is known
   */
  constructor(url, element) {
    super();
    const lastEventId = element?.getAttribute(CURSOR_ATTRIBUTE) ?? "";
    this.element = element;
    this.#received = cursor(lastEventId);
    this.addEventListener("open", (event) => this.onopen?.(event));
    this.addEventListener("message", (event) => this.onmessage?.(event));
    this.addEventListener("error", (event) => this.onerror?.(event));
    this.#way = wayTo(url, element, { lastEventId, deliver: (event) => this.#receive(event) });
    sources.add(this);
    this.show();
  }

  get url() {
    return this.#way.url;
  }

  get readyState() {
    return this.#way.readyState;
  }

  get withCredentials() {
    return this.#way.withCredentials;
  }

  get state() {
    return this.#way.state;
  }

  get lastEventId() {
    return this.#way.lastEventId;
  }

  /** When the last bytes came, in milliseconds since the epoch. */
  get heardAt() {
    return this.#way.heardAt;
  }

  /** @param {string} [reason] */
  suspend(reason) {
    this.#way.suspend(reason);
  }

  /** @param {string} [reason] */
  resume(reason) {
    this.#way.resume(reason);
  }

  reconnectNow() {
    this.#way.reconnectNow();
  }

  close() {
    this.#way.close();
    sources.delete(this);
  }

  /**
   * Take up the address that the element has now. If its content was brought up to date with it, go on from there.
   *
   * @param {string} url
   */
  follow(url) {
    const now = this.element?.getAttribute(CURSOR_ATTRIBUTE) ?? "";
    if (new URL(url, document.baseURI).href !== this.url) this.resumeAfter(now, url);
  }

  /**
   * Go on after a cursor: what the page shows is up to date until there.
   *
   * @param {string} id
   * @param {string} [url]
   */
  resumeAfter(id, url = this.url) {
    this.#received = cursor(id);
    this.queue?.forget();
    if (id) this.element?.setAttribute(CURSOR_ATTRIBUTE, id);
    this.#way.moveTo(url, id);
    this.resume(GAP);
    this.#stale = this.#out = false;
    this.show();
  }

  /** Whether the page's leave was outdated: it may well be that the server shows this page to nobody now. */
  get outdated() {
    return this.#renewed;
  }

  /** Whether what the page shows has a gap. */
  get stale() {
    return this.#stale;
  }

  /** Apply nothing any more until `resumeAfter()`: the content lacks what came before. */
  hold() {
    this.#stale = true;
    this.#out = false;
    this.suspend(GAP);
  }

  /**
   * Note in the element that its content has a message.
   *
   * @param {LogEvent} message
   */
  mark({ channel, lastEventId }) {
    if (channel) this.element?.setAttribute(CURSOR_ATTRIBUTE, lastEventId);
  }

  /**
   * Show the state in the element, and tell of it if it is a new one, or if an attempt to make it better has failed.
   *
   * @param {Loss} [loss]
   */
  show(loss = {}) {
    if (this.#renewed && loss.final) this.#out = true;
    const state = this.#stale ? (this.#out ? "denied" : "stale") : this.state;
    if (state === this.#shown && loss.status === undefined) return;
    this.#shown = state;
    this.element?.setAttribute(STATE_ATTRIBUTE, state);
    const { status, final, delay, error } = loss;
    const detail = { state, status, final, delay, error };
    this.element?.dispatchEvent(new CustomEvent(STATE_EVENT, { bubbles: true, detail }));
  }

  /** @param {Event} event */
  #receive(event) {
    if (event.type === STATE_EVENT) this.#change(/** @type {CustomEvent} */ (event).detail);
    if (!(event instanceof MessageEvent)) this.dispatchEvent(event);
    else if (event.type !== RESET_EVENT) this.#apply(event);
    else {
      heal(this, JSON.parse(event.data));
      this.dispatchEvent(event);
    }
  }

  /**
   * A page that was away for longer than its grants last, or whose session has changed, is healed once: that brings new
   * grants, or the page to sign in.
   *
   * @param {Loss & { state: string }} change
   */
  #change(change) {
    this.show(change);
    if (change.state === "live") this.#renewed = false;
    const isOutdated = change.refusal?.denied?.some(({ reason }) => OUTDATED.includes(reason));
    if (!isOutdated || this.#renewed) return;
    this.#renewed = true;
    heal(this, { channels: [], cursor: "" });
  }

  /** @param {LogEvent & Partial<import("../stream/parser.js").StreamEvent>} event */
  #apply(event) {
    const next = event.channel ? cursor(event.lastEventId) : null;
    if (isPast(next, this.#received)) return;
    this.#received = next ?? this.#received;
    if (!isFor(event)) return;
    this.queue?.push(event);
    this.dispatchEvent(event);
    if (!this.queue) this.mark(event);
  }
}

/**
 * @param {string} url
 * @param {Element | null} element
 * @param {{ lastEventId: string, deliver: (event: Event) => void }} options
 */
function wayTo(url, element, options) {
  const sharedBy = element?.getAttribute(SHARED_ATTRIBUTE) ?? "browser";
  if (SharedSource.serves(url)) return new SharedSource(url, { ...options, sharedBy });
  return new FetchEventSource(url, { ...options, withCredentials: true, policy: decideAndLog });
}

/** @type {typeof decideWithin} */
function decideAndLog(loss) {
  const decision = decideWithin(loss);
  logLoss({ ...loss, ...decision });
  return decision;
}

/**
 * Tell whether a message is meant for this tab: who has caused a change may be left out, or alone be told of it.
 *
 * @param {Partial<import("../stream/parser.js").StreamEvent>} event
 */
function isFor({ exclude, only }) {
  return !exclude?.includes(tabId) && only?.includes(tabId) !== false;
}
