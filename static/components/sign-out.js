import { sayWhose } from "./session.js";

const BY_HTMX = "[hx-get], [hx-post], [hx-put], [hx-patch], [hx-delete]";
// How htmx 2, and htmx 4 with either of its ways to write names, tell of an answer.
const ANSWERED = ["htmx:afterRequest", "htmx:after:request", "htmx-after-request"];

/**
 * Let a link, a button or a form that signs out tell all tabs: when it is used, or, if htmx sends it, when that has worked.
 *
 * @param {HTMLElement} element
 */
export function attach(element) {
  const stop = new AbortController();
  const isSentByHtmx = element.matches(BY_HTMX) || element.closest("[hx-boost='true']");
  const used = element instanceof HTMLFormElement ? "submit" : "click";
  for (const name of isSentByHtmx ? ANSWERED : [used]) element.addEventListener(name, tell, { signal: stop.signal });
  return () => stop.abort();
}

/** @param {Event} event */
function tell(event) {
  const { successful, ctx } = /** @type {CustomEvent} */ (event).detail || {};
  const hasFailed = successful === false || ctx?.response?.status >= 400;
  if (!event.defaultPrevented && !hasFailed) sayWhose("");
}
