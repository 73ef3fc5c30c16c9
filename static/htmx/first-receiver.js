import { dom } from "../dom.js";
import { CURSOR_ATTRIBUTE } from "../protocol.js";

// Elements that follow the same channel get an event at about the same time.
const REMEMBERED = 1_000;

/** The first element that got an event, by the event's id. @type {Map<string, WeakRef<Element>>} */
const firstReceivers = new Map();

/**
 * Tell whether an element is the first of this page to get an event. Out-of-band content concerns the whole page: if several
 * elements follow a channel, only the first swaps it.
 *
 * @param {string} id of an event in the server's log; "" for any other
 * @param {Element} element
 */
export function isFirstReceiver(id, element) {
  if (!id || !dom(element).closest(`[${CURSOR_ATTRIBUTE}]`)) return true;
  const first = firstReceivers.get(id)?.deref();
  if (dom(first)?.isConnected) return first === element;
  firstReceivers.set(id, new WeakRef(element));
  if (firstReceivers.size > REMEMBERED) firstReceivers.delete([...firstReceivers.keys()][0]);
  return true;
}
