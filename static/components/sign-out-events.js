import { dom } from "../dom.js";
import { AFTER_REQUEST_EVENTS, hasFailed, REQUESTING } from "../htmx/names.js";
import { SIGN_OUT_ATTRIBUTE, SIGN_OUT_EVENT } from "../protocol.js";

/**
 * Tell all tabs when the page says that the user has signed out: by an event, which a handler can have dispatched with the header
 * `HX-Trigger`, or by a request of htmx that has succeeded. Both may come before the modules of the page's components.
 */
export function watchSignOut() {
  dom(document).addEventListener(SIGN_OUT_EVENT, report);
  for (const name of AFTER_REQUEST_EVENTS)
    dom(document).addEventListener(name, (event) => {
      if (signsOut(event)) report();
    });
}

/** @param {Event} event */
function signsOut(event) {
  const element = /** @type {Element} */ (event.target);
  const isMarked = element instanceof Element && dom(element).matches(`[${SIGN_OUT_ATTRIBUTE}]`);
  return isMarked && dom(element).matches(REQUESTING) && !event.defaultPrevented && !hasFailed(event);
}

async function report() {
  const { setSession } = await import("./session.js");
  setSession("");
}
