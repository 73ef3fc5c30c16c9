import { crosstab } from "./crosstab.js";
import { initial, read, write } from "./synced-field.js";

// How long a pause in typing lasts before a change from elsewhere may show, in milliseconds.
const QUIET_MS = 1_000;
// Marks a field in which somebody has typed, or which was reset, while this module was still to come.
const TYPED = "data-sse-typed";

/**
 * Keep a field equal in all tabs of the browser. What is typed here is newer than what is there; what comes from another tab
 * in the middle of a word waits until it is written, and then shows if it is still the newest.
 *
 * @param {HTMLElement} element
 */
export function attach(element) {
  const field = /** @type {import("./synced-field.js").Field} */ (element);
  const key = field.dataset.sseSynced ?? "";
  const tabs = crosstab();
  const stop = new AbortController();
  let quietAt = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;

  function show() {
    clearTimeout(timer);
    const wait = quietAt - Date.now();
    if (wait > 0) timer = setTimeout(show, wait);
    else write(field, tabs.get(key) ?? read(field));
  }

  function typed() {
    quietAt = Date.now() + QUIET_MS;
    field.removeAttribute(TYPED);
    tabs.set(key, read(field));
  }

  function reset() {
    quietAt = 0;
    field.removeAttribute(TYPED);
    tabs.set(key, initial(field));
  }

  if (field.hasAttribute(TYPED)) typed();
  else show();
  const unsubscribe = tabs.subscribe(key, show);
  field.addEventListener("input", typed, { signal: stop.signal });
  field.form?.addEventListener("reset", reset, { signal: stop.signal });
  return () => {
    unsubscribe();
    stop.abort();
    clearTimeout(timer);
  };
}
