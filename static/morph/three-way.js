import { dom } from "../dom.js";
import { PRESERVED, PROCESSED_BY } from "../htmx/names.js";
import { BEFORE_MORPH_EVENT, KEEP_ATTRIBUTE } from "../protocol.js";
import { isWrittenIn, keepingChoice, updateDefault } from "./fields.js";
import { patchAttributes } from "./patch-attributes.js";
import { ChildrenPatch } from "./patch-children.js";
import { areSame } from "./same.js";
import { serverCopy } from "./server-copy.js";

const KEPT = `[${KEEP_ATTRIBUTE}], ${PRESERVED}`;

/**
 * @typedef {object} Changes what a patch has done to the page
 * @property {Element[]} inserted new elements, the outermost ones; their scripts have not run
 * @property {Element[]} changed elements that stayed, for which the server has changed what htmx does
 */

/**
 * Bring a part of the page up to date: what the server said before, what it says now, and what stands here. Where the server
 * says what it said before, what scripts, htmx and the reader have made of it stays. What the server has changed is changed here.
 *
 * `base` becomes what `fresh` is, and takes nodes from it.
 *
 * @param {Element} base what the server said before: the copy of `live`
 * @param {Node} fresh
 * @param {Element} live
 * @param {"outerHTML" | "innerHTML"} [style] whether the element itself is patched, or only what is in it
 * @returns {Changes}
 */
export function patch(base, fresh, live, style = "outerHTML") {
  const patching = new ThreeWayPatch(fresh, live);
  if (style === "innerHTML") patching.patchChildren(base, fresh, live);
  else patching.patchNode(base, /** @type {ChildNode} */ (fresh), live);
  return patching.changes;
}

/** One patch: what it has changed, and what its parts need to know of the whole. */
export class ThreeWayPatch {
  /** @type {Changes} */
  changes = { inserted: [], changed: [] };
  #fresh;
  #live;
  /** The nodes of the page by their copies, when they are asked for. @type {Map<Node, ChildNode> | null} */
  #lives = null;
  /** How often the server says an id now, when it is asked for. @type {Map<string, number> | null} */
  #ids = null;

  /**
   * @param {Node} fresh
   * @param {Element} live
   */
  constructor(fresh, live) {
    this.#fresh = fresh;
    this.#live = live;
  }

  /**
   * @param {ChildNode} base
   * @param {ChildNode} fresh
   * @param {ChildNode} live
   * @returns {ChildNode} what the server has said now
   */
  patchNode(base, fresh, live) {
    if (areSame(base, fresh)) return base;
    if (base instanceof Element)
      return this.#patchElement(base, /** @type {Element} */ (fresh), /** @type {Element} */ (live));
    dom(base).nodeValue = dom(live).nodeValue = dom(fresh).nodeValue;
    return base;
  }

  /**
   * @param {Element} base
   * @param {Element} fresh
   * @param {Element} live
   * @returns {ChildNode}
   */
  #patchElement(base, fresh, live) {
    if (dom(live).nodeName === "SCRIPT" || !this.mayChange(live, fresh)) {
      dom(base).replaceWith(fresh);
      serverCopy.set(live, fresh);
      return fresh;
    }
    const isWritten = isWrittenIn(live, base);
    keepingChoice(live, () => {
      const names = patchAttributes(base, fresh, live);
      if (names.some((name) => PROCESSED_BY.test(name))) this.changes.changed.push(live);
      if (isWritten) dom(base).replaceChildren(...dom(fresh).childNodes);
      else this.#patchContent(base, fresh, live);
    });
    return base;
  }

  /**
   * @param {Element} base
   * @param {Element} fresh
   * @param {Element} live
   */
  #patchContent(base, fresh, live) {
    if (live instanceof HTMLTemplateElement) dom(base).innerHTML = dom(live).innerHTML = dom(fresh).innerHTML;
    else if (live instanceof HTMLTextAreaElement) updateDefault(base, fresh, live);
    else this.patchChildren(base, fresh, live);
  }

  /**
   * @param {Element} base
   * @param {Node} fresh
   * @param {Element} live
   */
  patchChildren(base, fresh, live) {
    new ChildrenPatch(this, base, fresh, live).run();
  }

  /**
   * Tell whether an element may be changed, or removed: it may opt out, and so may the page.
   *
   * @param {Element} live
   * @param {Element | null} fresh what it is to become; null if it is to go
   */
  mayChange(live, fresh) {
    if (dom(live).matches(KEPT)) return false;
    const init = { bubbles: true, cancelable: true, detail: { fresh } };
    return dom(live).dispatchEvent(new CustomEvent(BEFORE_MORPH_EVENT, init));
  }

  /** @param {ChildNode} live */
  mayRemove(live) {
    return !(live instanceof Element) || this.mayChange(live, null);
  }

  /**
   * Return the node of a copy, wherever it stands by now.
   *
   * @param {ChildNode} copy
   * @returns {ChildNode | undefined}
   */
  find(copy) {
    this.#lives ??= serverCopy.invert(this.#live);
    const live = this.#lives.get(copy);
    return dom(live)?.isConnected ? live : undefined;
  }

  /**
   * Return the element of an id that the server says once, now in another place.
   *
   * @param {ChildNode} fresh
   * @returns {Element | null}
   */
  findMoved(fresh) {
    if (!(fresh instanceof Element) || !this.says(dom(fresh).id)) return null;
    const live = dom(document).getElementById(dom(fresh).id);
    const isServers = live && dom(this.#live).contains(live) && serverCopy.isOfPage(serverCopy.of(live));
    return isServers && dom(live).nodeName === dom(fresh).nodeName ? live : null;
  }

  /**
   * Tell whether the server says an id now, and only once.
   *
   * @param {string} id
   */
  says(id) {
    if (id === "") return false;
    this.#ids ??= countIds(this.#fresh);
    return this.#ids.get(id) === 1;
  }
}

/** @param {Node} root */
function countIds(root) {
  const counts = new Map();
  const elements = dom(/** @type {ParentNode & Node} */ (root)).querySelectorAll("[id]");
  for (const element of elements) counts.set(dom(element).id, (counts.get(dom(element).id) ?? 0) + 1);
  return counts;
}
