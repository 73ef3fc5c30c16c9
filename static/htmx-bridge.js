// With htmx-plug.js the only file that knows htmx: one element, and one behaviour, on htmx 2 and htmx 4.

import { isFirst } from "./first.js";
import { plugUnder2, plugUnder4 } from "./htmx-plug.js";
import { oobParts } from "./oob-parts.js";
import { SWAP_ATTRIBUTE, TAB_HEADER } from "./protocol.js";
import { tabId } from "./tab.js";
import { updateTexts } from "./text-update.js";
import { removeTwins } from "./twins.js";

/** @typedef {import("./message-queue.js").LogEvent} LogEvent */

const CONNECTS = "[data-sse-connect], [sse-connect]";
const SWAPS = `[${SWAP_ATTRIBUTE}], [sse-swap]`;

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
 * What htmx 2 swaps out of band is swapped here, once for all receivers of a message. They get the rest: with nothing left
 * htmx would empty them, and it would show HTML as text where the swap is `textContent`.
 *
 * @param {any} htmx
 */
function installOn2(htmx) {
  plugUnder2(htmx);
  document.addEventListener("htmx:configRequest", (event) => {
    const { headers, path } = /** @type {CustomEvent} */ (event).detail;
    if (isOwn(path)) headers[TAB_HEADER] = tabId;
  });
  /** @type {WeakMap<MessageEvent, string | null>} */
  const rests = new WeakMap();
  document.addEventListener("htmx:sseBeforeMessage", (event) => {
    const { target, detail } = /** @type {CustomEvent<LogEvent> & {target: Element}} */ (event);
    if (!rests.has(detail)) {
      const { outOfBand, rest } = oobParts(detail.data);
      rests.set(detail, rest);
      const id = detail.channel ? detail.lastEventId : "";
      if (outOfBand && isFirst(id, target)) swapOutOfBandOn2(htmx, target, outOfBand);
    }
    const rest = rests.get(detail) ?? null;
    if (rest === null) {
      event.preventDefault();
      htmx.trigger(target, "htmx:sseMessage", detail);
    } else {
      removeTwins(rest, [target]);
      const isText = target.getAttribute("hx-swap")?.startsWith("textContent");
      Object.defineProperty(detail, "data", { value: isText ? textOf(rest) : rest, configurable: true });
    }
  });
}

/**
 * Tell whether an address is of this page's own server, which may know the tab's name.
 *
 * @param {string} address
 */
function isOwn(address) {
  return new URL(address, document.baseURI).origin === location.origin;
}

/**
 * @param {any} htmx
 * @param {Element} target
 * @param {string} message
 */
function swapOutOfBandOn2(htmx, target, message) {
  const html = updateTexts(message);
  if (html === "") return;
  removeTwins(html, []);
  const spec = { swapStyle: "none", swapDelay: 0, settleDelay: htmx.config.defaultSettleDelay };
  htmx.swap(target, html, spec, { contextElement: target });
}

/** @param {string} html */
function textOf(html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  return template.content.textContent;
}

/**
 * htmx 4 swaps plain messages into the element that connects, and fires a named event there. The elements inside that swap
 * or wait for an event get it from here, as htmx 2's extension would give it to them.
 *
 * @param {any} htmx
 */
function installOn4(htmx) {
  plugUnder4(htmx);
  const named = (/** @type {string} */ name) => name.replaceAll(":", htmx.config.metaCharacter || ":");
  document.addEventListener(named("htmx:config:request"), (event) => {
    const { request } = /** @type {CustomEvent} */ (event).detail.ctx;
    if (isOwn(request.action)) request.headers[TAB_HEADER] = tabId;
  });
  document.addEventListener(named("htmx:before:swap"), hurryIfHidden);
  document.addEventListener(named("htmx:sse:before:message"), (event) => {
    const { target, detail } = /** @type {CustomEvent<any> & {target: Element}} */ (event);
    const { data, event: type, id } = detail.message;
    const name = type || "message";
    const isNative = name === "message" && swapsNatively(target, data);
    const receivers = within(target, SWAPS).filter((one) => !(isNative && one === target) && receives(one, name));
    const html = isNative || receivers.length > 0 ? partFor(target, data, id) : null;
    if (name === "message" && (!isNative || html === null)) event.preventDefault();
    if (html !== null) {
      removeTwins(html, isNative ? [target, ...receivers] : receivers);
      detail.message.data = html;
      detail.waitUntil(swapAllOn4(htmx, receivers, html, isNative));
    }
    for (const one of within(target, "[hx-trigger*='sse:']"))
      htmx.trigger(one, `sse:${name}`, { ...detail.message, data });
  });
}

/**
 * Return what of a message an element and those inside are to swap, or null: all of it, if it is the page's first to get it.
 *
 * @param {Element} element
 * @param {string} html
 * @param {string} id
 */
function partFor(element, html, id) {
  const { outOfBand, rest } = oobParts(html);
  if (!outOfBand) return html;
  return isFirst(id, element) ? updateTexts(html) || null : rest;
}

/**
 * Spare a page that nobody sees its transitions: with timers slowed down as they are there, messages would pile up.
 *
 * @param {Event} event
 */
function hurryIfHidden(event) {
  if (!document.hidden) return;
  for (const { swapSpec } of /** @type {CustomEvent} */ (event).detail.tasks) Object(swapSpec).settle = 0;
}

/**
 * Tell whether htmx 4 does the right thing by itself. It swaps whatever events an element names, and nothing for an empty
 * message; an element that is htmx 4's alone has it so.
 *
 * @param {Element} element
 * @param {string} html
 */
function swapsNatively(element, html) {
  return !element.matches(CONNECTS) || (html.trim() !== "" && receives(element, "message"));
}

/**
 * Return what belongs to a connecting element: itself and what is inside, but for what is inside another one.
 *
 * @param {Element} element
 * @param {string} selector
 */
function within(element, selector) {
  const found = [element, ...element.querySelectorAll(selector)].filter((one) => one.matches(selector));
  return found.filter((one) => one.closest(CONNECTS)?.contains(element) !== false);
}

/**
 * @param {Element} element
 * @param {string} name
 */
function receives(element, name) {
  const names = element.getAttribute(SWAP_ATTRIBUTE) ?? element.getAttribute("sse-swap") ?? "";
  return names.split(",").some((one) => one.trim() === name);
}

/**
 * Swap a message into all that receive it, and once what of it goes out of band.
 *
 * @param {any} htmx
 * @param {Element[]} receivers
 * @param {string} html
 * @param {boolean} onlyRest whether what goes out of band is swapped elsewhere
 */
function swapAllOn4(htmx, receivers, html, onlyRest) {
  const { rest } = receivers.length > 0 ? oobParts(html) : { rest: null };
  const texts = receivers.map((_, index) => (onlyRest || index > 0 ? rest : html));
  return Promise.all(texts.map((text, index) => text === null || swapOn4(htmx, receivers[index], text)));
}

/**
 * @param {any} htmx
 * @param {Element} element
 * @param {string} html
 */
function swapOn4(htmx, element, html) {
  const style = element.getAttribute("hx-swap") ?? htmx.config.defaultSwap;
  const target = element.getAttribute("hx-target") ?? element;
  const swap = `${style} swapEmpty:${html.trim() === ""}`;
  return htmx.swap({ sourceElement: element, target, swap, text: html });
}
