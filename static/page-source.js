import { FetchEventSource } from "./event-source.js";
import { heal } from "./heal.js";
import { CURSOR_ATTRIBUTE, RESET_EVENT, STATE_ATTRIBUTE, STATE_EVENT } from "./protocol.js";

/** Every source of this page that has not been closed. @type {Set<PageSource>} */
export const sources = new Set();

/** What every source of this page is opened with. @type {Partial<import("./event-source.js").Environment>} */
export const sourceOptions = { withCredentials: true };

/**
 * The source of one element. It begins after the cursor of the page's content, and applies no event twice. The element
 * shows its state (`data-sse-state`) and tells of each change (`sse:state`). A gap is healed.
 */
export class PageSource extends FetchEventSource {
  /** @type {((event: MessageEvent) => void) | null} called with every message, whatever its type */
  onany = null;
  #stale = false;
  #applied;

  /**
   * @param {string} url
   * @param {Element | null} element the element that connects, if it is known
   */
  constructor(url, element) {
    super(url, sourceOptions);
    sources.add(this);
    this.element = element;
    this.#applied = cursor(element?.getAttribute(CURSOR_ATTRIBUTE));
    this.#show({});
    this.addEventListener(STATE_EVENT, () => this.#show({}));
    this.addEventListener("error", (event) => {
      const { status, final, delay } = /** @type {any} */ (event);
      this.#show({ status, final, delay });
    });
  }

  /**
   * @override
   * @param {Event} event
   */
  dispatchEvent(event) {
    if (!(event instanceof MessageEvent)) return super.dispatchEvent(event);
    if (event.type === RESET_EVENT) heal(this, JSON.parse(event.data));
    else if (this.#seen(event)) return true;
    this.onany?.(event);
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
    this.stale = false;
    this.moveTo(url, id);
  }

  /** Whether what the page shows has a gap. */
  get stale() {
    return this.#stale;
  }

  set stale(stale) {
    if (this.#stale === stale) return;
    this.#stale = stale;
    this.#show({});
  }

  /** @param {MessageEvent & { channel?: string | null }} event only what has a channel stands in the log */
  #seen({ channel, lastEventId }) {
    const next = channel ? cursor(lastEventId) : null;
    if (!next) return false;
    if (next.epoch === this.#applied?.epoch && next.sequence <= this.#applied.sequence) return true;
    this.#applied = next;
    return false;
  }

  /** @param {{ status?: number, final?: boolean, delay?: number }} outcome of the last attempt, if it has failed */
  #show(outcome) {
    const state = this.#stale ? "stale" : this.state;
    this.element?.setAttribute(STATE_ATTRIBUTE, state);
    this.element?.dispatchEvent(new CustomEvent(STATE_EVENT, { bubbles: true, detail: { state, ...outcome } }));
  }
}

/**
 * @param {string | null | undefined} id
 * @returns {{ epoch: string, sequence: number } | null}
 */
function cursor(id) {
  const [, epoch, sequence] = /^(.+)-(\d+)$/.exec(id ?? "") ?? [];
  return epoch ? { epoch, sequence: Number(sequence) } : null;
}
