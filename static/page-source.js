import { FetchEventSource } from "./event-source.js";
import { heal } from "./heal.js";
import { CURSOR_ATTRIBUTE, RESET_EVENT, STATE_ATTRIBUTE, STATE_EVENT } from "./protocol.js";
import { sources } from "./sources.js";

/** What every source of this page is opened with. @type {Partial<import("./event-source.js").Environment>} */
export const sourceOptions = { withCredentials: true };

const GAP = "gap";

/** @typedef {import("./message-queue.js").MessageQueue} MessageQueue */
/** @typedef {import("./message-queue.js").LogEvent} LogEvent */
/** @typedef {{ status?: number, final?: boolean, delay?: number, error?: unknown }} Loss how the last attempt has failed */

/**
 * The source of one element. It goes on after the cursor of the element's content, and applies no event twice. The cursor
 * keeps step with what is applied, so that a copy of the element, such as a history snapshot, says what it holds.
 *
 * The element shows its state (`data-sse-state`) and tells of each change and each loss (`sse:state`). A gap is healed.
 */
export class PageSource extends FetchEventSource {
  /** Gets every message, whatever its type, for someone who takes them in his own time. @type {MessageQueue | null} */
  queue = null;
  #received;
  #stale = false;
  #shown = "";

  /**
   * @param {string} url
   * @param {Element | null} element the element that connects, if it is known
   */
  constructor(url, element) {
    const lastEventId = element?.getAttribute(CURSOR_ATTRIBUTE) ?? "";
    super(url, { ...sourceOptions, lastEventId });
    sources.add(this);
    this.element = element;
    this.#received = cursor(lastEventId);
    this.show();
    this.addEventListener(STATE_EVENT, (event) => this.show(/** @type {CustomEvent} */ (event).detail));
  }

  /**
   * @override
   * @param {Event} event
   */
  dispatchEvent(event) {
    if (!(event instanceof MessageEvent)) return super.dispatchEvent(event);
    if (event.type !== RESET_EVENT) return this.#apply(event);
    heal(this, JSON.parse(event.data));
    return super.dispatchEvent(event);
  }

  /** @override */
  close() {
    super.close();
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
    this.moveTo(url, id);
    this.resume(GAP);
    this.#stale = false;
    this.show();
  }

  /** Whether what the page shows has a gap. */
  get stale() {
    return this.#stale;
  }

  /** Apply nothing any more until `resumeAfter()`: the content lacks what came before. */
  hold() {
    this.#stale = true;
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
    const state = this.#stale ? "stale" : this.state;
    if (state === this.#shown && loss.status === undefined) return;
    this.#shown = state;
    this.element?.setAttribute(STATE_ATTRIBUTE, state);
    const { status, final, delay, error } = loss;
    const detail = { state, status, final, delay, error };
    this.element?.dispatchEvent(new CustomEvent(STATE_EVENT, { bubbles: true, detail }));
  }

  /** @param {LogEvent} event */
  #apply(event) {
    const next = event.channel ? cursor(event.lastEventId) : null;
    if (next && next.epoch === this.#received?.epoch && next.sequence <= this.#received.sequence) return true;
    this.#received = next ?? this.#received;
    this.queue?.push(event);
    const result = super.dispatchEvent(event);
    if (!this.queue) this.mark(event);
    return result;
  }
}

/**
 * @param {string} id
 * @returns {{ epoch: string, sequence: number } | null}
 */
function cursor(id) {
  const [, epoch, sequence] = /^(.+)-(\d+)$/.exec(id) ?? [];
  return epoch ? { epoch, sequence: Number(sequence) } : null;
}
