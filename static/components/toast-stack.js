import { dom } from "../dom.js";
import { environment } from "../environment.js";
import { processElement } from "../htmx/process.js";
import { namespace } from "../namespace.js";
import { TOAST_ATTRIBUTE, TOASTS_ATTRIBUTE } from "../protocol.js";
import { crosstab } from "./crosstab.js";
import { ToastClock } from "./toast-clock.js";

/** The cross-tab value with the ids of closed toasts, and the key under which toasts wait for the next page of a tab. */
const KEY = `sse:toasts:${namespace}`;
/** Set when the close buttons work: until then the style sheet hides them. */
const READY_ATTRIBUTE = "data-sse-ready";
/** How many toasts that are gone are remembered. */
const REMEMBERED = 100;
/** A toast that is younger than this when its page is left appears on the next page, if that comes as soon. */
const FRESH_MS = 5_000;

/** @typedef {"dismissed" | "expired"} Reason why a toast is gone */
/** @typedef {{ html: string, listId: string | undefined, rest: number }} StoredToast */

/**
 * Removes toasts when their time is up, or when somebody closes them with the button or Escape. A toast that is gone in one
 * tab is gone in all. The time does not pass while nobody can see the page, or while the pointer or the focus is on a toast.
 */
export class ToastStack {
  #element;
  #environment;
  /** @type {Map<HTMLElement, ToastClock>} */
  #clocks = new Map();
  #isPointedAt = false;
  /** What had the focus before a toast got it. @type {HTMLElement | null} */
  #previousFocus = null;
  #listeners = new AbortController();
  #observer = new MutationObserver(() => this.#update());
  #unsubscribe = () => {};

  /** @param {HTMLElement} element */
  constructor(element, env = environment) {
    this.#element = element;
    this.#environment = env;
  }

  attach() {
    const { signal } = this.#listeners;
    this.#element.addEventListener("pointerenter", () => this.#setPointedAt(true), { signal });
    this.#element.addEventListener("pointerleave", () => this.#setPointedAt(false), { signal });
    this.#element.addEventListener("focusin", (event) => this.#onFocusIn(event), { signal });
    this.#element.addEventListener("focusout", () => queueMicrotask(() => this.#runClocks()), { signal });
    this.#element.addEventListener("click", (event) => this.#onClick(event), { signal });
    this.#element.addEventListener("keydown", (event) => this.#onKeyDown(event), { signal });
    dom(document).addEventListener("visibilitychange", () => this.#runClocks(), { signal });
    addEventListener("pagehide", () => this.#storeForNextPage(), { signal });
    this.#unsubscribe = crosstab().subscribe(KEY, () => this.#removeGone());
    for (const list of this.#element.children) list.toggleAttribute(READY_ATTRIBUTE, true);
    // Screen readers announce what is inserted, so the toasts that came with the page are inserted again.
    for (const toast of this.#toasts()) toast.parentElement?.append(toast);
    this.#insertStored();
    this.#observer.observe(this.#element, { childList: true, subtree: true });
    this.#update();
  }

  detach() {
    this.#listeners.abort();
    this.#observer.disconnect();
    this.#unsubscribe();
    for (const clock of this.#clocks.values()) clock.stop();
  }

  #toasts() {
    return /** @type {HTMLElement[]} */ ([...this.#element.querySelectorAll(".sse-toast")]);
  }

  #update() {
    for (const [toast, clock] of this.#clocks) {
      if (toast.isConnected) continue;
      clock.stop();
      this.#clocks.delete(toast);
    }
    const gone = goneToasts();
    for (const toast of this.#toasts()) {
      if (gone.has(toast.id)) toast.remove();
      else if (!this.#clocks.has(toast)) this.#clocks.set(toast, this.#newClock(toast));
    }
    this.#removeSurplus();
    this.#runClocks();
  }

  /** @param {HTMLElement} toast */
  #newClock(toast) {
    const milliseconds = Number(toast.getAttribute(TOAST_ATTRIBUTE));
    return new ToastClock(milliseconds, () => this.#remove(toast, "expired"), this.#environment);
  }

  /** Remove the oldest toasts if there are too many, but those that stay until they are closed last. */
  #removeSurplus() {
    const surplus = Math.max(0, this.#clocks.size - Number(this.#element.getAttribute(TOASTS_ATTRIBUTE)));
    const toasts = [...this.#clocks].sort(([, a], [, b]) => Number(a.isEndless) - Number(b.isEndless));
    for (const [toast] of toasts.slice(0, surplus)) toast.remove();
  }

  #runClocks() {
    const isOnHold = this.#isOnHold();
    for (const clock of this.#clocks.values()) {
      if (isOnHold) clock.pause();
      else clock.run();
    }
  }

  #isOnHold() {
    return this.#isPointedAt || dom(document).hidden || this.#element.contains(dom(document).activeElement);
  }

  /** @param {boolean} isPointedAt */
  #setPointedAt(isPointedAt) {
    this.#isPointedAt = isPointedAt;
    this.#runClocks();
  }

  /** @param {FocusEvent} event */
  #onFocusIn({ relatedTarget }) {
    const wasInside = relatedTarget instanceof Node && this.#element.contains(relatedTarget);
    if (!wasInside) this.#previousFocus = relatedTarget instanceof HTMLElement ? relatedTarget : null;
    this.#runClocks();
  }

  /** @param {MouseEvent} event */
  #onClick({ target }) {
    const button = target instanceof Element ? target.closest(".sse-toast-close") : null;
    if (button) this.#remove(/** @type {HTMLElement} */ (button.closest(".sse-toast")), "dismissed");
  }

  /** @param {KeyboardEvent} event */
  #onKeyDown(event) {
    const toast = event.target instanceof Element ? event.target.closest(".sse-toast") : null;
    if (event.key !== "Escape" || !toast) return;
    event.stopPropagation();
    this.#remove(/** @type {HTMLElement} */ (toast), "dismissed");
  }

  /**
   * Remove a toast in all tabs.
   *
   * @param {HTMLElement} toast
   * @param {Reason} reason
   */
  #remove(toast, reason) {
    if (toast.contains(dom(document).activeElement)) this.#moveFocusFrom(toast);
    toast.remove();
    if (this.#toasts().length === 0) this.#isPointedAt = false;
    crosstab().set(KEY, [...goneToasts(), [toast.id, reason]].slice(-REMEMBERED));
  }

  /**
   * Move the focus to the next toast, or back to where it was.
   *
   * @param {HTMLElement} toast
   */
  #moveFocusFrom(toast) {
    const [other] = this.#toasts().filter((candidate) => candidate !== toast);
    const next = other?.querySelector(".sse-toast-close") ?? this.#previousFocus;
    if (next instanceof HTMLElement && next.isConnected) next.focus();
  }

  /** Remove what is gone in another tab. What has expired there stays while it is on hold here. */
  #removeGone() {
    const gone = goneToasts();
    for (const toast of this.#toasts()) {
      const reason = gone.get(toast.id);
      if (reason === "dismissed" || (reason === "expired" && !this.#isOnHold())) toast.remove();
    }
  }

  // ---------------------------------------------------------------- from page to page

  /** A page that is left right after a toast came, as after a form, passes it on. */
  #storeForNextPage() {
    /** @type {StoredToast[]} */
    const stored = [];
    for (const [toast, clock] of this.#clocks) {
      if (clock.age > FRESH_MS) continue;
      stored.push({ listId: toast.parentElement?.id, html: toast.outerHTML, rest: clock.rest });
      toast.remove();
    }
    if (stored.length > 0) storeForTab(JSON.stringify({ time: this.#environment.now(), stored }));
  }

  #insertStored() {
    const { time, stored = [] } = JSON.parse(takeFromTab() ?? "{}");
    const [entry] = /** @type {PerformanceNavigationTiming[]} */ (performance.getEntriesByType("navigation"));
    if (!time || this.#environment.now() - time > FRESH_MS || entry?.type !== "navigate") return;
    for (const toast of stored) insert(toast);
  }
}

/** @param {StoredToast} toast */
function insert({ listId, html, rest }) {
  const template = dom(document).createElement("template");
  template.innerHTML = html;
  const toast = /** @type {HTMLElement} */ (template.content.firstElementChild);
  if (dom(document).getElementById(toast.id)) return;
  toast.setAttribute(TOAST_ATTRIBUTE, String(rest));
  dom(document)
    .getElementById(listId ?? "")
    ?.append(toast);
  processElement(toast);
}

/** @returns {Map<string, Reason>} why toasts are gone, by their ids */
function goneToasts() {
  return new Map(crosstab().get(KEY) ?? []);
}

/** @param {string} text */
function storeForTab(text) {
  try {
    sessionStorage.setItem(KEY, text);
  } catch {
    // Storage is blocked or full: the next page does without.
  }
}

function takeFromTab() {
  try {
    const text = sessionStorage.getItem(KEY);
    sessionStorage.removeItem(KEY);
    return text;
  } catch {
    return null; // storage is blocked
  }
}
