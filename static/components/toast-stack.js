import { crosstab } from "./crosstab.js";

/** What tabs tell each other, and where toasts wait for the next page of a tab. */
const KEY = "sse-toasts";
/** Toasts that are remembered to be gone. */
const REMEMBERED = 100;
/** A toast that has come within this time before its page is left is shown on the next one, which must come as soon. */
const FRESH_MS = 5_000;
/** What is left of a toast's time, at least, when it is let go of. */
const LEAST_MS = 1_000;

/**
 * Let toasts go when their time is up, while somebody can see them and nobody points at one or is inside; and when they
 * are closed, by a button or by Escape. What is gone in one tab is gone in all.
 *
 * @param {HTMLElement} element with `data-sse-toasts`: how many there may be
 */
export function attach(element) {
  const stack = new ToastStack(element);
  return () => stack.end();
}

/** @typedef {{ stays: boolean, left: number, since: number, timer: number, came: number }} Clock in milliseconds */

class ToastStack {
  #element;
  /** @type {Map<HTMLElement, Clock>} */
  #clocks = new Map();
  #isPointedAt = false;
  /** Where the focus was before it came into a toast. @type {HTMLElement | null} */
  #cameFrom = null;
  #listening = new AbortController();
  #observer = new MutationObserver(() => this.#changed());
  #unsubscribe;

  /** @param {HTMLElement} element */
  constructor(element) {
    this.#element = element;
    const { signal } = this.#listening;
    element.addEventListener("pointerenter", () => this.#point(true), { signal });
    element.addEventListener("pointerleave", () => this.#point(false), { signal });
    element.addEventListener("focusin", (event) => this.#focused(event), { signal });
    element.addEventListener("focusout", () => queueMicrotask(() => this.#keepTime()), { signal });
    element.addEventListener("click", (event) => this.#clicked(event), { signal });
    element.addEventListener("keydown", (event) => this.#pressed(event), { signal });
    document.addEventListener("visibilitychange", () => this.#keepTime(), { signal });
    addEventListener("pagehide", () => this.#keepForNextPage(), { signal });
    this.#unsubscribe = crosstab().subscribe(KEY, () => this.#heard());
    // Before, a button to close it would do nothing.
    for (const list of element.children) list.toggleAttribute("data-sse-ready", true);
    // What a page brings is told like what comes later: screen readers speak of what is inserted.
    for (const toast of this.#shown()) toast.parentElement?.append(toast);
    this.#takeFromLastPage();
    this.#observer.observe(element, { childList: true, subtree: true });
    this.#changed();
  }

  end() {
    this.#listening.abort();
    this.#observer.disconnect();
    this.#unsubscribe();
    for (const { timer } of this.#clocks.values()) clearTimeout(timer);
  }

  #shown() {
    return /** @type {HTMLElement[]} */ ([...this.#element.querySelectorAll(".sse-toast")]);
  }

  #changed() {
    for (const [toast, { timer }] of this.#clocks) {
      if (toast.isConnected) continue;
      clearTimeout(timer);
      this.#clocks.delete(toast);
    }
    for (const toast of this.#shown()) {
      if (gone().has(toast.id)) toast.remove();
      else if (!this.#clocks.has(toast)) this.#clocks.set(toast, clockOf(toast));
    }
    this.#makeRoom();
    this.#keepTime();
  }

  /** Take the oldest away if there are too many; first those that would go by themselves. */
  #makeRoom() {
    const surplus = Math.max(0, this.#clocks.size - Number(this.#element.dataset.sseToasts));
    const toasts = [...this.#clocks].sort(([, one], [, other]) => Number(one.stays) - Number(other.stays));
    for (const [toast] of toasts.slice(0, surplus)) toast.remove();
  }

  /** Let the clocks run, or stop them. */
  #keepTime() {
    const runs = !this.#isHeld();
    for (const [toast, clock] of this.#clocks) {
      const isRunning = clock.timer !== 0;
      if (clock.stays || runs === isRunning) continue;
      if (runs) {
        clock.since = performance.now();
        clock.timer = setTimeout(() => this.#finish(toast, "expired"), clock.left);
      } else {
        clearTimeout(clock.timer);
        clock.timer = 0;
        clock.left = Math.max(LEAST_MS, clock.left - (performance.now() - clock.since));
      }
    }
  }

  #isHeld() {
    return this.#isPointedAt || document.hidden || this.#element.contains(document.activeElement);
  }

  /** @param {boolean} isPointedAt */
  #point(isPointedAt) {
    this.#isPointedAt = isPointedAt;
    this.#keepTime();
  }

  /** @param {FocusEvent} event */
  #focused({ relatedTarget }) {
    const isInside = relatedTarget instanceof Node && this.#element.contains(relatedTarget);
    if (!isInside) this.#cameFrom = relatedTarget instanceof HTMLElement ? relatedTarget : null;
    this.#keepTime();
  }

  /** @param {MouseEvent} event */
  #clicked({ target }) {
    const button = target instanceof Element ? target.closest(".sse-toast-close") : null;
    if (button) this.#finish(/** @type {HTMLElement} */ (button.closest(".sse-toast")), "dismissed");
  }

  /** @param {KeyboardEvent} event */
  #pressed(event) {
    const toast = event.target instanceof Element ? event.target.closest(".sse-toast") : null;
    if (event.key !== "Escape" || !toast) return;
    event.stopPropagation();
    this.#finish(/** @type {HTMLElement} */ (toast), "dismissed");
  }

  /**
   * Take a toast away, here and in the other tabs. The focus goes on to the next one, or back to where it came from.
   *
   * @param {HTMLElement} toast
   * @param {"dismissed" | "expired"} how
   */
  #finish(toast, how) {
    if (toast.contains(document.activeElement)) this.#letFocusGoOn(toast);
    toast.remove();
    if (this.#shown().length === 0) this.#isPointedAt = false;
    crosstab().set(KEY, [...gone(), [toast.id, how]].slice(-REMEMBERED));
  }

  /** @param {HTMLElement} toast */
  #letFocusGoOn(toast) {
    const [other] = this.#shown().filter((one) => one !== toast);
    const next = other?.querySelector(".sse-toast-close") ?? this.#cameFrom;
    if (next instanceof HTMLElement && next.isConnected) next.focus();
  }

  /** Take away what is gone in another tab; what has run out there stays as long as it is held here. */
  #heard() {
    const known = gone();
    for (const toast of this.#shown()) {
      const how = known.get(toast.id);
      if (how === "dismissed" || (how === "expired" && !this.#isHeld())) toast.remove();
    }
  }

  /** A page that is left at once, as after a form, takes its latest toasts along. */
  #keepForNextPage() {
    const now = performance.now();
    const kept = [];
    for (const [toast, { came, left, since, timer }] of this.#clocks) {
      if (now - came > FRESH_MS) continue;
      const rest = timer ? Math.max(LEAST_MS, left - (now - since)) : left;
      kept.push({ list: toast.parentElement?.id, html: toast.outerHTML, rest });
      toast.remove();
    }
    if (kept.length > 0) store(JSON.stringify({ time: Date.now(), kept }));
  }

  #takeFromLastPage() {
    const { time, kept } = JSON.parse(takeStored() ?? "{}");
    const [entry] = /** @type {PerformanceNavigationTiming[]} */ (performance.getEntriesByType("navigation"));
    if (!time || Date.now() - time > FRESH_MS || entry?.type !== "navigate") return;
    for (const { list, html, rest } of kept) this.#insert(list, html, rest);
  }

  /**
   * @param {string} list
   * @param {string} html
   * @param {number} rest
   */
  #insert(list, html, rest) {
    const template = document.createElement("template");
    template.innerHTML = html;
    const toast = /** @type {HTMLElement} */ (template.content.firstElementChild);
    if (document.getElementById(toast.id)) return;
    toast.dataset.sseToast = String(rest);
    document.getElementById(list)?.append(toast);
    Reflect.get(globalThis, "htmx")?.process(toast);
  }
}

/** @param {HTMLElement} toast */
function clockOf(toast) {
  const left = Number(toast.dataset.sseToast);
  return { stays: left === 0, left, since: 0, timer: 0, came: performance.now() };
}

/** Return how toasts have gone, by their ids. @returns {Map<string, "dismissed" | "expired">} */
function gone() {
  return new Map(crosstab().get(KEY) ?? []);
}

/** @param {string} text */
function store(text) {
  try {
    sessionStorage.setItem(KEY, text);
  } catch {
    // The browser remembers nothing, or has no room: the next page does without.
  }
}

function takeStored() {
  try {
    const text = sessionStorage.getItem(KEY);
    sessionStorage.removeItem(KEY);
    return text;
  } catch {
    return null; // blocked by the user
  }
}
