import { CURSOR_ATTRIBUTE } from "../protocol.js";

// Elements that follow the same channel get a message within moments of each other.
const REMEMBERED = 1_000;

/** Which element was the first to get a message, by the message's id. @type {Map<string, WeakRef<Element>>} */
const firsts = new Map();

/**
 * Tell whether an element is the first of this page to get a message. What goes out of band is for the page: of several
 * elements that follow a channel, one swaps it.
 *
 * @param {string} id of a message in the server's log; "" for any other
 * @param {Element} element
 */
export function isFirst(id, element) {
  if (!id || !element.closest(`[${CURSOR_ATTRIBUTE}]`)) return true;
  const first = firsts.get(id)?.deref();
  if (first?.isConnected) return first === element;
  firsts.set(id, new WeakRef(element));
  if (firsts.size > REMEMBERED) firsts.delete([...firsts.keys()][0]);
  return true;
}
