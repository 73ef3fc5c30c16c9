import { dom } from "../dom.js";
import { serverCopy } from "../morph/server-copy.js";
import { hasEnded } from "../page/page-source.js";
import { copyHtml, copyResponse, OutOfBandSwaps } from "./copied-swaps.js";
import { dedupeById } from "./dedupe-by-id.js";
import { EndedSource, EventSourceShell } from "./event-source-shell.js";
import { isFirstReceiver } from "./first-receiver.js";
import { splitOutOfBand } from "./oob-parts.js";
import { modifier, morphStyleOf, scrollAs } from "./swap-spec.js";
import { addTabHeader } from "./tab-header.js";
import { updateTexts } from "./text-update.js";

/** @typedef {MessageEvent & { channel?: string }} LoggedMessage an event; one that is in the server's log has a channel */

/** Connects the kit to htmx 2 and its SSE extension. */
export class Htmx2 {
  #htmx;
  /** The element that htmx is processing. @type {Element | null} */
  #processed = null;
  /** What removes the listeners that were added while an element was processed. @type {WeakMap<Element, (() => void)[]>} */
  #removals = new WeakMap();
  /** What is left of each message without its out-of-band parts. @type {WeakMap<MessageEvent, string | null>} */
  #rests = new WeakMap();
  /** What is left to do when something has been swapped, by the `xhr` or the message that brought it. @type {WeakMap<object, () => void>} */
  #copies = new WeakMap();
  /** The swaps of the message that is being swapped. @type {OutOfBandSwaps | null} */
  #swaps = null;

  /** @param {any} htmx */
  constructor(htmx) {
    this.#htmx = htmx;
  }

  install() {
    this.#htmx.createEventSource = (/** @type {string} */ url) => this.#createEventSource(url);
    dom(document).addEventListener("htmx:afterProcessNode", ({ target }) => this.#beginProcessing(target));
    dom(document).addEventListener("htmx:configRequest", (event) => {
      const { headers, path } = /** @type {CustomEvent} */ (event).detail;
      addTabHeader(headers, path);
    });
    dom(document).addEventListener("htmx:sseBeforeMessage", (event) => this.#beforeMessage(event));
    dom(document).addEventListener("htmx:oobBeforeSwap", (event) => {
      const { target, fragment } = /** @type {CustomEvent} */ (event).detail;
      if (this.#swaps) this.#swaps.copy(target, fragment);
      else copyResponse(dom(fragment).childNodes);
    });
    dom(document).addEventListener("htmx:beforeSwap", (event) => this.#copyResponse(event));
    dom(document).addEventListener("htmx:historyRestore", () => serverCopy.take());
    for (const swapped of ["htmx:afterSwap", "htmx:sseMessage"])
      dom(document).addEventListener(swapped, (event) => this.#finishCopy(event));
  }

  /**
   * The extension connects and adds its listeners right after this event. If an element is processed again, the new listeners
   * replace the old ones.
   *
   * @param {EventTarget | null} target
   */
  #beginProcessing(target) {
    this.#processed = target instanceof Element ? target : null;
    if (!this.#processed) return;
    for (const remove of this.#removals.get(this.#processed) ?? []) remove();
    this.#removals.delete(this.#processed);
  }

  /**
   * Called by the extension. An element that is processed again keeps its source.
   *
   * @param {string} url
   */
  #createEventSource(url) {
    if (hasEnded(this.#processed, url)) return new EndedSource(url);
    const known = this.#processed && EventSourceShell.of(this.#processed);
    if (!known) return new EventSourceShell(url, this.#processed, (remove) => this.#keepRemoval(remove));
    known.follow(url);
    return known;
  }

  /** @param {() => void} remove */
  #keepRemoval(remove) {
    if (!this.#processed) return;
    const removals = this.#removals.get(this.#processed) ?? [];
    this.#removals.set(this.#processed, [...removals, remove]);
  }

  /**
   * Swap out-of-band parts here, once for all receivers of a message, and pass on the rest: if nothing is left, htmx would
   * empty them, and where the swap is `textContent`, it would show HTML as text.
   *
   * @param {Event} event
   */
  #beforeMessage(event) {
    const { target, detail } = /** @type {CustomEvent<LoggedMessage> & { target: Element }} */ (event);
    // An element that swaps the event `error` is no place for the loss of a connection.
    if (!(detail instanceof MessageEvent)) return event.preventDefault();
    const rest = this.#swapOutOfBand(target, detail);
    const [style] = (dom(target).getAttribute("hx-swap") ?? "").split(" ");
    if (rest === null || this.#morphs(target, style, rest)) {
      event.preventDefault();
      this.#htmx.trigger(target, "htmx:sseMessage", detail);
    } else {
      dedupeById(rest, [target]);
      this.#copyMessage(target, detail, rest);
      const isText = style === "textContent";
      Object.defineProperty(detail, "data", { value: isText ? toText(rest) : rest, configurable: true });
    }
  }

  /**
   * @param {Element} receiver
   * @param {LoggedMessage} message
   * @param {string} html
   */
  #copyMessage(receiver, message, html) {
    const [style] = (dom(receiver).getAttribute("hx-swap") ?? this.#htmx.config.defaultSwapStyle).split(" ");
    const named = dom(receiver).getAttribute("hx-target") ?? "this";
    const target = named === "this" ? receiver : dom(document).querySelector(named);
    if (target) this.#copies.set(message, copyHtml(html, { style, target, isPublished: true }));
  }

  /** @param {Event} event */
  #copyResponse(event) {
    const { xhr, target, serverResponse, requestConfig, ...given } = /** @type {CustomEvent} */ (event).detail;
    const source = requestConfig.elt;
    const swap = given.swapOverride ?? closestValue(source, "hx-swap") ?? this.#htmx.config.defaultSwapStyle;
    const select = given.selectOverride ?? closestValue(source, "hx-select");
    const [style] = swap.split(" ");
    const isPage = target === dom(document).body; // of a boosted link: from now on, the server says this page
    if (given.shouldSwap)
      this.#copies.set(xhr, copyHtml(serverResponse, { style, target, select, isPublished: isPage, isPage }));
  }

  /** @param {Event} event */
  #finishCopy(event) {
    const { detail } = /** @type {CustomEvent} */ (event);
    const key = detail?.xhr ?? detail;
    if (!(key instanceof Object)) return;
    this.#copies.get(key)?.();
    this.#copies.delete(key);
  }

  /**
   * @param {Element} target
   * @param {LoggedMessage} message
   * @returns {string | null} the rest of the message
   */
  #swapOutOfBand(target, message) {
    const known = this.#rests.get(message);
    if (known !== undefined) return known;
    const { outOfBand, rest, extras, swaps } = splitOutOfBand(message.data);
    this.#rests.set(message, rest);
    const id = message.channel ? message.lastEventId : "";
    if (outOfBand && isFirstReceiver(id, target)) this.#swapForPage(target, updateTexts(outOfBand), extras, swaps);
    return rest;
  }

  /**
   * Morph as a style says, unless it is no morph, or one that the element has an extension for.
   *
   * @param {Element} receiver
   * @param {string} style
   * @param {string} html
   * @returns {boolean} whether it has morphed
   */
  #morphs(receiver, style, html) {
    const morphStyle = morphStyleOf(style);
    if (!morphStyle || /\bmorph\b/.test(dom(receiver).getAttribute("hx-ext") ?? "")) return false;
    const named = dom(receiver).getAttribute("hx-target") ?? "this";
    const target = named === "this" ? receiver : dom(document).querySelector(named);
    if (target) this.#morph(target, toNodes(html), morphStyle);
    return true;
  }

  /** @param {import("./oob-parts.js").Extra[]} extras */
  async #applyExtras(extras) {
    for (const { style, selector, modifiers, part } of extras) {
      const morphStyle = morphStyleOf(style);
      for (const target of dom(document).querySelectorAll(selector)) {
        if (morphStyle)
          await this.#morph(target, morphStyle === "outerHTML" ? [part] : [...dom(part).childNodes], morphStyle);
        scrollAs(modifiers, target);
      }
    }
  }

  /**
   * Morph, with code that few pages need.
   *
   * @param {Element} target
   * @param {ChildNode[]} nodes
   * @param {"outerHTML" | "innerHTML"} morphStyle
   */
  async #morph(target, nodes, morphStyle) {
    const { morphInto } = await import("../page/morph.js");
    for (const node of nodes) if (node instanceof Element) dom(node).removeAttribute("hx-swap-oob");
    morphInto(target, nodes, morphStyle);
  }

  /**
   * @param {Element} target
   * @param {string} html what a message swaps out of band
   * @param {import("./oob-parts.js").Extra[]} extras
   * @param {import("./swap-spec.js").OutOfBand[]} swaps
   */
  #swapForPage(target, html, extras, swaps) {
    if (html === "") return;
    dedupeById(html, []);
    const transition = extras.some(({ modifiers }) => modifier(modifiers, "transition") === "true");
    const settleDelay = this.#htmx.config.defaultSettleDelay;
    const spec = { swapStyle: "none", swapDelay: 0, settleDelay, ...(transition && { transition }) };
    this.#htmx.swap(target, html, spec, {
      contextElement: target,
      beforeSwapCallback: () => {
        this.#swaps = new OutOfBandSwaps(swaps);
      },
      afterSwapCallback: () => {
        this.#swaps = null;
        this.#applyExtras(extras);
      },
    });
  }
}

/**
 * @param {Element} element
 * @param {string} name
 */
function closestValue(element, name) {
  return (
    dom(element).closest(`[${name}]`)?.getAttribute(name) ??
    dom(element).closest(`[data-${name}]`)?.getAttribute(`data-${name}`)
  );
}

/** @param {string} html */
function toNodes(html) {
  const template = dom(document).createElement("template");
  template.innerHTML = html;
  return [...template.content.childNodes];
}

/** @param {string} html */
function toText(html) {
  const template = dom(document).createElement("template");
  template.innerHTML = html;
  return template.content.textContent;
}
