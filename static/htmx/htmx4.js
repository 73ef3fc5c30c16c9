import { hasPassword, withoutPassword } from "../address.js";
import { dom } from "../dom.js";
import { hasEnded } from "../page/page-source.js";
import { sources } from "../page/sources.js";
import { CONNECT_ATTRIBUTE, SWAP_ATTRIBUTE } from "../protocol.js";
import { CopiedTasks } from "./copied-tasks.js";
import { dedupeById } from "./dedupe-by-id.js";
import { EndlessResponse } from "./endless-response.js";
import { isFirstReceiver } from "./first-receiver.js";
import { fire, fireHtmx2 } from "./lifecycle.js";
import { splitOutOfBand } from "./oob-parts.js";
import { parseOutOfBand, toHtmx4Swap } from "./swap-spec.js";
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
  #isAnnouncing = false;
  #copied = new CopiedTasks();

  /** @param {any} htmx */
  constructor(htmx) {
    this.#htmx = htmx;
  }

  install() {
    const { config } = this.#htmx;
    config.sse = { ...config.sse, reconnect: false, pauseOnBackground: false };
    if (hasPassword()) this.#avoidPassword();
    this.#listen("htmx:config:request", ({ detail }) =>
      addTabHeader(detail.ctx.request.headers, detail.ctx.request.action),
    );
    this.#listen("htmx:before:request", (event) => this.#beforeRequest(event));
    this.#listen("htmx:before:swap", ({ detail: { ctx, tasks } }) => {
      skipTransitionsIfHidden(tasks);
      this.#copied.copy(ctx, tasks);
    });
    if (config.metaCharacter && config.metaCharacter !== ":")
      this.#listen("htmx:after:process", ({ target }) => fire(target, "htmx:after:process", {})); // hyperscript waits for it
    this.#listen("htmx:before:settle", ({ detail }) => this.#copied.finish(detail.task));
    this.#listen("htmx:sse:before:message", (event) => this.#beforeMessage(event));
    this.#listen("htmx:sse:close", ({ target, detail }) => announceClose(target, detail.reason));
    addEventListener(this.#toName("htmx:sse:after:connection"), (event) => this.#dropEarly(event), { capture: true });
  }

  /**
   * At an address with a password browsers refuse htmx's requests to relative addresses, and its entries in the history, by
   * which it would stop before it has processed the page.
   */
  #avoidPassword() {
    this.#htmx.config.history = false;
    this.#listen("htmx:before:request", ({ detail: { ctx } }) => {
      ctx.request.action = withoutPassword(ctx.request.action);
    });
  }

  /**
   * The extension believes that it is connected as soon as it has the kit's response. The bridge says so when that is true,
   * each time.
   *
   * @param {Event} event
   */
  #dropEarly(event) {
    const isOurs = [...sources].some((source) => source.element === event.target);
    if (isOurs && !this.#isAnnouncing) event.stopImmediatePropagation();
  }

  /** @param {import("../page/page-source.js").PageSource} source */
  opened(source) {
    this.#isAnnouncing = true;
    fire(source.element, this.#toName("htmx:sse:after:connection"), { connection: connectionOf(source.element) });
    this.#isAnnouncing = false;
    fireHtmx2(source.element, "htmx:sseOpen", { source });
  }

  /**
   * @param {import("../page/page-source.js").PageSource} source
   * @param {import("../stream/connection-state.js").Loss} loss
   */
  lost(source, loss) {
    const { element } = source;
    const error = loss.error ?? new Error(`the stream ended with status ${loss.status}`);
    const detail = { connection: connectionOf(element), error, status: loss.status };
    fire(element, this.#toName("htmx:sse:error"), detail);
    fireHtmx2(element, "htmx:sseError", { error: Object.assign(new Event("error"), loss), source });
  }

  /**
   * @param {string} name
   * @param {(event: CustomEvent & { target: Element }) => void} listener
   */
  #listen(name, listener) {
    dom(document).addEventListener(this.#toName(name), /** @type {(event: any) => void} */ (listener));
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
    if (url === null || url === undefined || withoutPassword(url) !== withoutPassword(ctx.request.action)) return;
    const isKnown = [...sources].some((source) => source.element === element);
    if (ctx.swap) ctx.swap = toHtmx4Swap(ctx.swap);
    if (isKnown || hasEnded(element, url)) event.preventDefault();
    else ctx.fetch = () => Promise.resolve(EndlessResponse.open(url, element, ctx.request.signal, this));
    this.#copied.add(ctx);
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
    const style = toHtmx4Swap(dom(element).getAttribute("hx-swap") ?? this.#htmx.config.defaultSwap);
    const target = dom(element).getAttribute("hx-target") ?? element;
    const swap = `${style} swapEmpty:${html.trim() === ""}`;
    const context = { sourceElement: element, target, swap, text: html };
    this.#copied.add(context);
    return this.#htmx.swap(context);
  }
}

/**
 * Browsers slow the timers of hidden pages down, so that messages would pile up behind transitions that nobody sees.
 *
 * @param {{ swapSpec?: object }[]} tasks
 */
function skipTransitionsIfHidden(tasks) {
  if (!dom(document).hidden) return;
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
  return !dom(element).matches(CONNECTING) || (html.trim() !== "" && receives(element, "message"));
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
  const { outOfBand, rest, extras } = splitOutOfBand(html);
  if (!outOfBand) return html;
  if (!isFirstReceiver(id, element)) return rest;
  return updateTexts(extras.length > 0 ? withHtmx4Morphs(html) : html) || null;
}

/**
 * Return HTML whose out-of-band morphs have the names of htmx 4.
 *
 * @param {string} html
 */
function withHtmx4Morphs(html) {
  const template = dom(document).createElement("template");
  template.innerHTML = html;
  for (const part of template.content.querySelectorAll("[hx-swap-oob]")) {
    const swap = dom(part).getAttribute("hx-swap-oob") ?? "";
    const { style } = parseOutOfBand(swap);
    dom(part).setAttribute("hx-swap-oob", toHtmx4Swap(style) + swap.slice(style.length));
  }
  return template.innerHTML;
}

/**
 * @param {Element} element
 * @param {string} reason
 */
function announceClose(element, reason) {
  fireHtmx2(element, "htmx:sseClose", { type: reason === "message" ? "message" : "nodeReplaced" });
}

/** @param {Element | null} element */
function connectionOf(element) {
  return /** @type {any} */ (element)?._htmx?.sse;
}

/**
 * Return the elements that belong to a connecting element: itself and those inside, except inside of another connecting one.
 *
 * @param {Element} element
 * @param {string} selector
 */
function within(element, selector) {
  const found = [element, ...dom(element).querySelectorAll(selector)].filter((candidate) =>
    dom(candidate).matches(selector),
  );
  return found.filter((candidate) => dom(candidate).closest(CONNECTING)?.contains(element) !== false);
}

/**
 * @param {Element} element
 * @param {string} name
 */
function receives(element, name) {
  const names = dom(element).getAttribute(SWAP_ATTRIBUTE) ?? dom(element).getAttribute("sse-swap") ?? "";
  return names.split(",").some((received) => received.trim() === name);
}
