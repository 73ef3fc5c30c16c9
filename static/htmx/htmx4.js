import { sources } from "../page/sources.js";
import { CONNECT_ATTRIBUTE, SWAP_ATTRIBUTE } from "../protocol.js";
import { dedupeById } from "./dedupe-by-id.js";
import { EndlessResponse } from "./endless-response.js";
import { isFirstReceiver } from "./first-receiver.js";
import { splitOutOfBand } from "./oob-parts.js";
import { addTabHeader } from "./tab-header.js";
import { updateTexts } from "./text-update.js";

const CONNECTING = `[${CONNECT_ATTRIBUTE}], [sse-connect]`;
const SWAPPING = `[${SWAP_ATTRIBUTE}], [sse-swap]`;
const TRIGGERED = "[hx-trigger*='sse:']";

/**
 * Connects the kit to htmx 4 and its SSE extension.
 *
 * The extension swaps plain messages into the element that connects, and dispatches named events there. The elements inside
 * that swap or wait for an event get it from here, as htmx 2's extension would give it to them.
 */
export class Htmx4 {
  #htmx;

  /** @param {any} htmx */
  constructor(htmx) {
    this.#htmx = htmx;
  }

  install() {
    const { config } = this.#htmx;
    config.sse = { ...config.sse, reconnect: false, pauseOnBackground: false };
    this.#listen("htmx:config:request", ({ detail }) =>
      addTabHeader(detail.ctx.request.headers, detail.ctx.request.action),
    );
    this.#listen("htmx:before:request", (event) => this.#beforeRequest(event));
    this.#listen("htmx:before:swap", ({ detail }) => skipTransitionsIfHidden(detail.tasks));
    this.#listen("htmx:sse:before:message", (event) => this.#beforeMessage(event));
  }

  /**
   * @param {string} name
   * @param {(event: CustomEvent & { target: Element }) => void} listener
   */
  #listen(name, listener) {
    document.addEventListener(this.#toName(name), /** @type {(event: any) => void} */ (listener));
  }

  /** @param {string} name */
  #toName(name) {
    return name.replaceAll(":", this.#htmx.config.metaCharacter || ":");
  }

  /**
   * Answer the extension's request with the kit's source. An element that is processed twice before the extension knows of its
   * first request sends a second one, which must not be answered.
   *
   * @param {CustomEvent} event
   */
  #beforeRequest(event) {
    const { ctx } = event.detail;
    const element = ctx.sourceElement;
    const url = element?.getAttribute?.(this.#toName("hx-sse:connect"));
    if (url === null || url === undefined || toAbsolute(url) !== toAbsolute(ctx.request.action)) return;
    if ([...sources].some((source) => source.element === element)) event.preventDefault();
    else ctx.fetch = () => Promise.resolve(EndlessResponse.open(url, element, ctx.request.signal));
  }

  /** @param {CustomEvent & { target: Element }} event */
  #beforeMessage(event) {
    const { target, detail } = event;
    const { data, event: type, id } = detail.message;
    const name = type || "message";
    const isNative = name === "message" && swapsNatively(target, data);
    const receivers = within(target, SWAPPING).filter(
      (element) => receives(element, name) && !(isNative && element === target),
    );
    const html = isNative || receivers.length > 0 ? partFor(target, data, id) : null;
    if (name === "message" && (!isNative || html === null)) event.preventDefault();
    if (html !== null) {
      dedupeById(html, isNative ? [target, ...receivers] : receivers);
      detail.message.data = html;
      detail.waitUntil(this.#swapAll(receivers, html, isNative));
    }
    for (const element of within(target, TRIGGERED))
      this.#htmx.trigger(element, `sse:${name}`, { ...detail.message, data });
  }

  /**
   * Swap a message into all its receivers, and its out-of-band part once.
   *
   * @param {Element[]} receivers
   * @param {string} html
   * @param {boolean} isRestOnly whether htmx swaps the out-of-band part elsewhere
   */
  #swapAll(receivers, html, isRestOnly) {
    const { rest } = receivers.length > 0 ? splitOutOfBand(html) : { rest: null };
    const parts = receivers.map((_, index) => (isRestOnly || index > 0 ? rest : html));
    return Promise.all(parts.map((part, index) => part === null || this.#swap(receivers[index], part)));
  }

  /**
   * @param {Element} element
   * @param {string} html
   */
  #swap(element, html) {
    const style = element.getAttribute("hx-swap") ?? this.#htmx.config.defaultSwap;
    const target = element.getAttribute("hx-target") ?? element;
    const swap = `${style} swapEmpty:${html.trim() === ""}`;
    return this.#htmx.swap({ sourceElement: element, target, swap, text: html });
  }
}

/** @param {string} url */
function toAbsolute(url) {
  return new URL(url, document.baseURI).href;
}

/**
 * Browsers slow the timers of hidden pages down, so that messages would pile up behind transitions that nobody sees.
 *
 * @param {{ swapSpec?: object }[]} tasks
 */
function skipTransitionsIfHidden(tasks) {
  if (!document.hidden) return;
  for (const { swapSpec } of tasks) Object(swapSpec).settle = 0;
}

/**
 * Tell whether htmx 4 may swap a plain message into the element that connects. It does so whatever events the element names,
 * and swaps nothing for an empty message; that is right only for an element without the kit's attributes.
 *
 * @param {Element} element
 * @param {string} html
 */
function swapsNatively(element, html) {
  return !element.matches(CONNECTING) || (html.trim() !== "" && receives(element, "message"));
}

/**
 * Return the part of a message that an element and those inside swap: all of it if they are the page's first to get it, else
 * what is not out of band; null if that is nothing.
 *
 * @param {Element} element
 * @param {string} html
 * @param {string} id
 */
function partFor(element, html, id) {
  const { outOfBand, rest } = splitOutOfBand(html);
  if (!outOfBand) return html;
  return isFirstReceiver(id, element) ? updateTexts(html) || null : rest;
}

/**
 * Return the elements that belong to a connecting element: itself and those inside, except inside of another connecting one.
 *
 * @param {Element} element
 * @param {string} selector
 */
function within(element, selector) {
  const found = [element, ...element.querySelectorAll(selector)].filter((candidate) => candidate.matches(selector));
  return found.filter((candidate) => candidate.closest(CONNECTING)?.contains(element) !== false);
}

/**
 * @param {Element} element
 * @param {string} name
 */
function receives(element, name) {
  const names = element.getAttribute(SWAP_ATTRIBUTE) ?? element.getAttribute("sse-swap") ?? "";
  return names.split(",").some((received) => received.trim() === name);
}
