// With htmx-plug.js the only file that knows htmx: one element, and one behaviour, on htmx 2 and htmx 4.

import { plugUnder2, plugUnder4 } from "./htmx-plug.js";
import { oobParts } from "./oob-parts.js";
import { SWAP_ATTRIBUTE } from "./protocol.js";

let installed = false;

/** Plug the kit under the page's htmx, whichever generation it is. Every script of the kit may ask for it. */
export function installBridge() {
  const htmx = Reflect.get(globalThis, "htmx");
  if (!htmx) throw new Error("sse_components needs htmx: load it before this module");
  if (installed) return;
  installed = true;
  if (String(htmx.version).startsWith("4")) installOn4(htmx);
  else installOn2(htmx);
}

/**
 * htmx 2 empties the receiver of a message that is out of band only, and reports an error for each target that this page
 * does not show. Such messages are swapped here instead.
 *
 * @param {any} htmx
 */
function installOn2(htmx) {
  plugUnder2(htmx);
  document.addEventListener("htmx:sseBeforeMessage", (event) => {
    const { target, detail } = /** @type {CustomEvent<MessageEvent> & {target: Element}} */ (event);
    const parts = oobParts(detail.data);
    if (!parts.only) return;
    event.preventDefault();
    const spec = { swapStyle: "none", swapDelay: 0, settleDelay: 0 };
    if (parts.html) htmx.swap(target, parts.html, spec, { contextElement: target });
    htmx.trigger(target, "htmx:sseMessage", detail);
  });
}

/**
 * htmx 4 swaps plain messages into the element that connects, and fires a named event there. The elements inside that swap
 * or wait for an event get it from here, as htmx 2's extension would give it to them.
 *
 * @param {any} htmx
 */
function installOn4(htmx) {
  plugUnder4(htmx);
  const eventName = "htmx:sse:before:message".replaceAll(":", htmx.config.metaCharacter || ":");
  document.addEventListener(eventName, (event) => {
    const { target, detail } = /** @type {CustomEvent<any> & {target: Element}} */ (event);
    const name = detail.message.event || "message";
    const natively = name === "message" ? target : null;
    if (natively && !receives(target, name)) event.preventDefault();
    const receivers = [target, ...target.querySelectorAll(`[${SWAP_ATTRIBUTE}]`)];
    const swaps = receivers.filter((one) => one !== natively && receives(one, name));
    detail.waitUntil(Promise.all(swaps.map((one) => swapOn4(htmx, one, detail.message.data))));
    for (const one of [target, ...target.querySelectorAll("[hx-trigger]")]) {
      if (one.getAttribute("hx-trigger")?.includes("sse:")) htmx.trigger(one, `sse:${name}`, { ...detail.message });
    }
  });
}

/**
 * @param {Element} element
 * @param {string} name
 */
function receives(element, name) {
  const names = (element.getAttribute(SWAP_ATTRIBUTE) ?? "").split(",");
  return names.some((one) => one.trim() === name);
}

/**
 * @param {any} htmx
 * @param {Element} element
 * @param {string} html
 */
function swapOn4(htmx, element, html) {
  const swap = element.getAttribute("hx-swap") ?? htmx.config.defaultSwap;
  const target = element.getAttribute("hx-target") ?? element;
  return htmx.swap({ sourceElement: element, target, swap: `${swap} swapEmpty:false`, text: html });
}
