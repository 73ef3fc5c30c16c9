// The events by which htmx's extensions say what happens to a stream. The kit's sources reconnect by themselves, so the
// extensions do not notice.

import { dom } from "../dom.js";

/**
 * Fire an event of htmx 2's extension, under both names that htmx 2 gives it. On htmx 4, scripts written for htmx 2 get it, too.
 *
 * @param {Element | null} element
 * @param {"htmx:sseOpen" | "htmx:sseError" | "htmx:sseClose"} name
 * @param {object} detail
 */
export function fireHtmx2(element, name, detail) {
  fire(element, name, detail);
  fire(
    element,
    name.replace(/[A-Z]/, (letter) => `-${letter.toLowerCase()}`),
    detail,
  );
}

/**
 * Fire an event as htmx does.
 *
 * @param {Element | null} element
 * @param {string} name
 * @param {object} detail
 */
export function fire(element, name, detail) {
  const init = { bubbles: true, cancelable: true, composed: true, detail: { ...detail, elt: element } };
  dom(element)?.dispatchEvent(new CustomEvent(name, init));
}

/**
 * Return the name of the event that closes an element's stream for good.
 *
 * @param {Element | null} element
 */
export function closingEvent(element) {
  const names = ["sse-close", "data-sse-close", "hx-sse:close", "hx-sse-close"];
  return names.map((name) => dom(element)?.getAttribute(name)).find(Boolean);
}
