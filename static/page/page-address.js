import { dom } from "../dom.js";
import { PAGE_ATTRIBUTE, SAME_PAGE } from "../protocol.js";

/** What the server says of the first live element: which GET made it. It holds for elements of which it says nothing. */
const firstMark = dom(document).querySelector(`[${PAGE_ATTRIBUTE}]`)?.getAttribute(PAGE_ATTRIBUTE) ?? null;
const firstAddress = location.href;

/**
 * Return the address whose GET makes the page of an element; "" if there is none. It need not be the one that the browser
 * shows: scripts change that, and so does htmx for a fragment.
 *
 * @param {Element | null} element
 */
export function addressOf(element) {
  const own = element && dom(element).getAttribute(PAGE_ATTRIBUTE);
  const mark = own === null || own === SAME_PAGE ? firstMark : own;
  if (mark === "") return "";
  if (mark === firstMark) return firstAddress;
  return (location.pathname + location.search).endsWith(mark ?? "") ? location.href : location.origin + mark;
}
