import { dom } from "../dom.js";
import { REASON_ATTRIBUTE } from "../protocol.js";

/** The reason of a page in a frame whose `sandbox` gives it an origin of its own: it may ask no server for anything. */
export const SANDBOXED = "sandboxed";

/** Reasons that lie in how the page is shown, and what to do about them. */
const HINTS = {
  [SANDBOXED]: "the frame that shows this page has a sandbox without allow-same-origin, so the page may follow nothing",
  cookie:
    "the browser sends no cookie here, so the server cannot tell whose page this is: cookies are blocked, or another site " +
    "shows the page in a frame (see same_site= of setup_sse)",
};

/** @type {Set<string>} */
const logged = new Set();

/**
 * Show in an element why it is refused, and log once what an application can do about it.
 *
 * @param {Element | null} element
 * @param {string} [reason] none for an element that is refused no more
 */
export function showRefusal(element, reason) {
  if (reason) dom(element)?.setAttribute(REASON_ATTRIBUTE, reason);
  else if (logged.has(dom(element)?.getAttribute(REASON_ATTRIBUTE) ?? ""))
    dom(element)?.removeAttribute(REASON_ATTRIBUTE);
  if (!reason || logged.has(reason)) return;
  logged.add(reason);
  const hint = HINTS[/** @type {keyof typeof HINTS} */ (reason)];
  if (hint) console.warn(`sse: ${hint}`);
}
