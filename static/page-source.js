import { FetchEventSource } from "./event-source.js";
import { heal } from "./heal.js";
import { CURSOR_ATTRIBUTE, RESET_EVENT, STATE_ATTRIBUTE, STATE_EVENT } from "./protocol.js";
import { sources } from "./sources.js";

export { sources };

/** What every source of this page is opened with. @type {Partial<import("./event-source.js").Environment>} */
export const sourceOptions = { withCredentials: true };

/** @typedef {{ status?: number, final?: boolean, delay?: number }} Loss of the last attempt, if it has failed */

/**
 * The source of one element. It goes on after the cursor of the element's content, and applies no event twice. The cursor
 * keeps step with what is applied, so that a copy of the element, such as a history snapshot, says what it holds.
 *
 * The element shows its state (`data-sse-state`) and tells of each change and each loss (`sse:state`). A gap is healed.
 */
export class PageSource extends FetchEventSource {
  /** @type {((event: MessageEvent) => void) | null} called with every message, whatever its type */
  onany = null;
  #applied;
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
    this.#applied = cursor(lastEventId);
    this.#show();
    this.addEventListener(STATE_EVENT, (event) => this.#show(/** @type {CustomEvent} */ (event).detail));
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
    this.#applied = cursor(id);
    if (id) this.element?.setAttribute(CURSOR_ATTRIBUTE, id);
    this.moveTo(url, id);
    this.resume(GAP);
    this.#stale = false;
    this.#show();
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
   * Tell that what was to end a gap has failed.
   *
   * @param {Loss} loss
   */
  report(loss) {
    this.#show(loss);
  }

  /** @param {MessageEvent & { channel?: string | null }} event only what has a channel stands in the log */
  #apply(event) {
    const next = event.channel ? cursor(event.lastEventId) : null;
    if (next && next.epoch === this.#applied?.epoch && next.sequence <= this.#applied.sequence) return true;
    this.onany?.(event);
    const result = super.dispatchEvent(event);
    if (next) {
      this.#applied = next;
      this.element?.setAttribute(CURSOR_ATTRIBUTE, event.lastEventId);
    }
    return result;
  }

  /** @param {Loss} [loss] */
  #show(loss = {}) {
    const state = this.#stale ? "stale" : this.state;
    if (state === this.#shown && loss.status === undefined) return;
    this.#shown = state;
    this.element?.setAttribute(STATE_ATTRIBUTE, state);
    const { status, final, delay } = loss;
    this.element?.dispatchEvent(new CustomEvent(STATE_EVENT, { bubbles: true, detail: { state, status, final, delay } }));
  }
}

const GAP = "gap";

/**
 * @param {string} id
 * @returns {{ epoch: string, sequence: number } | null}
 */
function cursor(id) {
  const [, epoch, sequence] = /^(.+)-(\d+)$/.exec(id) ?? [];
  return epoch ? { epoch, sequence: Number(sequence) } : null;
}
