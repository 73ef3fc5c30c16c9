import { dom } from "../dom.js";
import {
  CLOSED_ATTRIBUTE,
  CLOSED_STATE,
  CURSOR_ATTRIBUTE,
  REASON_ATTRIBUTE,
  RESET_EVENT,
  SHARED_ATTRIBUTE,
  STATE_ATTRIBUTE,
  STATE_EVENT,
} from "../protocol.js";
import { contentState } from "../stream/connection-state.js";
import { isCoveredBy, parseCursor } from "../stream/cursor.js";
import { StreamReader } from "../stream/stream-reader.js";
import { heal } from "./heal.js";
import { decideWithinLimits } from "./limits.js";
import { fetchGrant } from "./new-grant.js";
import { showRefusal } from "./refusal.js";
import { SharedSource } from "./shared-source.js";
import { sources } from "./sources.js";
import { tabId } from "./tab.js";

const GAP = "gap";
// Why the server refuses a grant that was valid when it made the page. A fresh page has a grant that is valid now.
const OUTDATED = ["expired", "foreign", "cookie"];
// A page that the browser renders in advance follows nothing until somebody sees it.
const PRERENDER = "prerender";

/** @typedef {import("../stream/connection-state.js").Loss} Loss */
/** @typedef {import("../stream/connection-state.js").StateChange} StateChange */
/** @typedef {import("../stream/parser.js").StreamEvent} StreamEvent */

/**
 * @typedef {object} Receiver what applies the events of a source to the page
 * @property {(event: StreamEvent) => void} onEvent applies an event, and calls `markApplied(event)` on the source when it has
 * @property {(event: StreamEvent) => void} [onReset] called after a gap, besides healing it
 * @property {() => void} [onOpen]
 * @property {(loss: Loss) => void} [onLoss]
 * @property {() => void} [onResume] called when the content has been brought up to date: drops the events that wait
 */

/**
 * The source of one element. It resumes after the cursor of the element's content and applies each event once. The cursor in
 * the element follows, so that a copy of the element, such as a history snapshot, has the cursor of its content.
 *
 * The kit's own streams share a connection; any other address gets its own `StreamReader`.
 *
 * The element shows the state (`data-sse-state`) and dispatches `sse:state` for each change and each loss. Gaps are healed.
 */
export class PageSource {
  #receiver;
  #connection;
  #reached;
  #isStale = false;
  #shownState = "";
  /** Whether a heal that is to bring a new grant has not led to a live stream yet. */
  #isRenewing = false;
  /** Whether the server refused that page, too. */
  #isRefused = false;
  #isBeyondHealing = false;

  /**
   * @param {string} url
   * @param {Element | null} element the element that connects, if it is known
   * @param {Receiver} receiver
   */
  constructor(url, element, receiver) {
    const lastEventId = dom(element)?.getAttribute(CURSOR_ATTRIBUTE) ?? "";
    this.element = element;
    this.#receiver = receiver;
    this.#reached = parseCursor(lastEventId);
    this.#connection = this.#connect(url, lastEventId);
    if (isPrerendered())
      dom(document).addEventListener("prerenderingchange", () => this.resume(PRERENDER), { once: true });
    sources.add(this);
    this.showState();
  }

  get url() {
    return this.#connection.url;
  }

  get origin() {
    return this.#connection.origin;
  }

  get readyState() {
    return this.#connection.readyState;
  }

  get withCredentials() {
    return this.#connection.withCredentials;
  }

  /** The state of the connection. */
  get state() {
    return this.#connection.state;
  }

  get lastEventId() {
    return this.#connection.lastEventId;
  }

  /** When the last bytes came, in milliseconds since the epoch. */
  get heardAt() {
    return this.#connection.heardAt;
  }

  /** Whether the content has a gap. */
  get isStale() {
    return this.#isStale;
  }

  /** Whether only a reload brings the content up to date. */
  get isBeyondHealing() {
    return this.#isBeyondHealing;
  }

  /** Whether the page is being fetched again for a new grant: the server may well refuse it. */
  get isRenewing() {
    return this.#isRenewing;
  }

  /** @param {string} [reason] */
  suspend(reason) {
    this.#connection.suspend(reason);
  }

  /** @param {string} [reason] */
  resume(reason) {
    this.#connection.resume(reason);
  }

  reconnectNow() {
    this.#connection.reconnectNow();
  }

  close() {
    this.#connection.close();
    sources.delete(this);
  }

  /** Close for good, because the closing event has come. The element shows that, and does not connect again. */
  end() {
    this.close();
    dom(this.element)?.setAttribute(CLOSED_ATTRIBUTE, this.url);
    dom(this.element)?.setAttribute(STATE_ATTRIBUTE, CLOSED_STATE);
    const detail = { state: CLOSED_STATE, final: true };
    dom(this.element)?.dispatchEvent(new CustomEvent(STATE_EVENT, { bubbles: true, detail }));
  }

  /**
   * Adopt the address that the element has now, after its current content.
   *
   * @param {string} url
   */
  follow(url) {
    const cursor = dom(this.element)?.getAttribute(CURSOR_ATTRIBUTE) ?? "";
    if (new URL(url, dom(document).baseURI).href !== this.url) this.resumeAfter(cursor, url);
  }

  /**
   * Resume after a cursor: the content is up to date until there.
   *
   * @param {string} cursor
   * @param {string} [url]
   */
  resumeAfter(cursor, url = this.url) {
    this.#reached = parseCursor(cursor);
    this.#receiver.onResume?.();
    if (cursor) dom(this.element)?.setAttribute(CURSOR_ATTRIBUTE, cursor);
    this.#connection.moveTo(url, cursor);
    this.resume(GAP);
    this.#isStale = this.#isRefused = this.#isBeyondHealing = false;
    dom(this.element)?.removeAttribute(REASON_ATTRIBUTE);
    this.showState();
  }

  /** Apply no event until `resumeAfter()`: the content lacks what came before. */
  hold() {
    this.#isStale = true;
    this.#isRefused = this.#isBeyondHealing = false;
    this.suspend(GAP);
  }

  /**
   * Record in the element that its content has an event.
   *
   * @param {StreamEvent} event
   */
  markApplied({ channel, lastEventId }) {
    if (channel) dom(this.element)?.setAttribute(CURSOR_ATTRIBUTE, lastEventId);
  }

  /**
   * Show the state in the element, and dispatch it if it has changed or if an attempt has failed.
   *
   * @param {Partial<Loss>} [loss]
   */
  showState(loss = {}) {
    if (this.#isRenewing && loss.final) this.#isRefused = true;
    if (loss.reason) this.#showReason(loss.reason, loss.final === true);
    const state = contentState(this.state, { isStale: this.#isStale, isRefused: this.#isRefused });
    if (state === this.#shownState && loss.status === undefined) return;
    this.#shownState = state;
    dom(this.element)?.setAttribute(STATE_ATTRIBUTE, state);
    const { status, final, delay, error, reason } = loss;
    const detail = { state, status, final, delay, error, reason };
    dom(this.element)?.dispatchEvent(new CustomEvent(STATE_EVENT, { bubbles: true, detail }));
  }

  /**
   * @param {string} reason
   * @param {boolean} isFinal
   */
  #showReason(reason, isFinal) {
    this.#isBeyondHealing = isFinal;
    dom(this.element)?.setAttribute(REASON_ATTRIBUTE, reason);
  }

  /**
   * @param {string} url
   * @param {string} lastEventId
   */
  #connect(url, lastEventId) {
    const callbacks = {
      onOpen: () => this.#receiver.onOpen?.(),
      onState: (/** @type {StateChange} */ change) => this.#changeState(change),
      onLoss: (/** @type {Loss} */ loss) => this.#receiver.onLoss?.(loss),
      onEvent: (/** @type {StreamEvent} */ event) => this.#receive(event),
    };
    if (!SharedSource.serves(url))
      return new StreamReader(url, callbacks, {
        lastEventId,
        heartbeat: 0,
        withCredentials: true,
        policy: decideWithinLimits,
        suspendedBy: isPrerendered() ? PRERENDER : "",
      });
    const sharedBy = dom(this.element)?.getAttribute(SHARED_ATTRIBUTE) ?? "browser";
    const suspendedBy = isPrerendered() ? PRERENDER : "";
    return new SharedSource(url, callbacks, { lastEventId, sharedBy, suspendedBy });
  }

  /**
   * A page that was away for longer than its grants last, or whose session has changed, is healed once: this brings new
   * grants, or the page to sign in.
   *
   * @param {StateChange} change
   */
  #changeState(change) {
    this.showState(change);
    if (change.state === "live") this.#isRenewing = false;
    const denied = /** @type {{ reason: string }[]} */ (change.refusal?.denied ?? []);
    if (change.state === "live" || (denied.length > 0 && (this.#isRenewing || !isOutdated(denied))))
      showRefusal(this.element, denied[0]?.reason);
    if (this.#isRenewing || !isOutdated(denied)) return;
    this.#isRenewing = true;
    heal(this, { channels: [], cursor: "" });
    if (!this.#isStale) fetchGrant(this); // the page brings its content up to date by itself
  }

  /** @param {StreamEvent} event */
  #receive(event) {
    if (event.type !== RESET_EVENT) return this.#apply(event);
    heal(this, JSON.parse(event.data));
    this.#receiver.onReset?.(event);
  }

  /** @param {StreamEvent} event */
  #apply(event) {
    const position = event.channel ? parseCursor(event.lastEventId) : null;
    if (isCoveredBy(position, this.#reached)) return;
    this.#reached = position ?? this.#reached;
    if (isForThisTab(event)) this.#receiver.onEvent(event);
  }
}

/**
 * Tell whether the stream of an element has been closed for good: asked again, its server would begin its work again.
 *
 * @param {Element | null} element
 * @param {string} url
 */
export function hasEnded(element, url) {
  return dom(element)?.getAttribute(CLOSED_ATTRIBUTE) === new URL(url, dom(document).baseURI).href;
}

/** @param {{ reason: string }[]} denied */
function isOutdated(denied) {
  return denied.some(({ reason }) => OUTDATED.includes(reason));
}

function isPrerendered() {
  return "prerendering" in document && dom(document).prerendering === true;
}

/** @param {StreamEvent} event */
function isForThisTab({ exclude, only }) {
  return !exclude?.includes(tabId) && only?.includes(tabId) !== false;
}
