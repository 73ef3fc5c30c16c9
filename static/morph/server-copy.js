// What the server said last, for each node of this page that it said anything about.

import { dom } from "../dom.js";
import { EARLY_EVENT } from "../protocol.js";
import { undo } from "./undo.js";

/** How each swap changes the copy. @type {Record<string, (target: any, nodes: Node[]) => void>} */
const SWAPS = {
  innerHTML: (target, nodes) => dom(target).replaceChildren(...nodes),
  textContent: (target, nodes) => dom(target).replaceChildren(...nodes),
  outerHTML: (target, nodes) => dom(target).replaceWith(...nodes),
  beforebegin: (target, nodes) => dom(target).before(...nodes),
  afterbegin: (target, nodes) => dom(target).prepend(...nodes),
  beforeend: (target, nodes) => dom(target).append(...nodes),
  afterend: (target, nodes) => dom(target).after(...nodes),
  delete: (target) => dom(target).remove(),
};
/** How many children more than its element a copy may have, of those that the page has dropped. */
const SPARE = 100;

/**
 * A copy of the page as the server said it, without what scripts, htmx and the reader have made of it since. It is inert: nothing
 * in it loads or runs. What is published is applied to it, too.
 *
 * Each node of the page knows its copy, and is all that keeps it where the copy is not part of the page's.
 */
class ServerCopy {
  #document = dom(document).implementation.createHTMLDocument("");
  /** @type {WeakMap<Node, Node>} */
  #copies = new WeakMap();

  /**
   * Take the page as it is now for what the server said.
   *
   * @param {MutationRecord[]} [changes] what scripts have changed in it
   */
  take(changes = []) {
    dom(this.#document).documentElement.replaceWith(this.add(dom(document).documentElement));
    for (const change of [...changes].reverse())
      undo(
        change,
        (live) => this.of(live),
        (live) => this.add(live),
      );
  }

  /**
   * Return what the server said last for a node; undefined for a node that it did not make.
   *
   * @param {Node} live
   */
  of(live) {
    return this.#copies.get(live);
  }

  /**
   * Tell whether a copy is part of the page's.
   *
   * @param {Node | undefined} copy
   */
  isOfPage(copy) {
    return copy && dom(copy).isConnected === true;
  }

  /**
   * Take a node, and all that is in it, as the server made it.
   *
   * @param {Node} live
   * @returns {Node} its copy
   */
  add(live) {
    const copy = dom(this.#document).importNode(live, true);
    this.pair(copy, live);
    return copy;
  }

  /**
   * Have the nodes of a tree know those of its copy, as far as the two are alike.
   *
   * @param {Node} copy
   * @param {Node} live
   */
  pair(copy, live) {
    this.#copies.set(live, copy);
    let inside = dom(copy).firstChild;
    for (
      let node = dom(live).firstChild;
      node && inside && dom(inside).nodeName === dom(node).nodeName;
      node = dom(node).nextSibling
    ) {
      this.pair(inside, node);
      inside = dom(inside).nextSibling;
    }
  }

  /**
   * Have nodes know their copies, as far as the two are alike.
   *
   * @param {Node[]} copies
   * @param {Node[]} lives
   */
  pairAll(copies, lives) {
    const areAsMany = copies.length === lives.length;
    const [some, others] = areAsMany ? [copies, lives] : [elementsOf(copies), elementsOf(lives)];
    for (const [index, live] of others.entries())
      if (some[index] && dom(some[index]).nodeName === dom(live).nodeName) this.pair(some[index], live);
  }

  /**
   * Parse HTML that the server says.
   *
   * @param {string} html
   * @param {string | null} [select] selector of what is taken of it; by default all
   * @returns {ChildNode[]} copies of nodes that are not in the page yet
   */
  parse(html, select) {
    const template = dom(this.#document).createElement("template");
    template.innerHTML = html;
    return [...(select ? template.content.querySelectorAll(select) : template.content.childNodes)];
  }

  /**
   * Swap copies as their nodes are swapped in the page. A target that the server did not make has no copy.
   *
   * @param {string} style of the swap
   * @param {Element} target
   * @param {Node[]} copies
   */
  swap(style, target, copies) {
    const copy = this.of(target);
    if (!copy || !(style in SWAPS)) return;
    this.#prune(copy, target);
    SWAPS[style](copy, copies);
  }

  /**
   * Note that the server has said the text of an element.
   *
   * @param {Element} live which has the text already
   * @param {string} text
   */
  setText(live, text) {
    const copy = this.of(live);
    if (!copy) return;
    dom(copy).textContent = text;
    this.pair(copy, live);
  }

  /**
   * Forget a node that the kit itself takes out of the page.
   *
   * @param {Node} live
   */
  drop(live) {
    /** @type {ChildNode | undefined} */ (this.of(live))?.remove();
  }

  /**
   * Forget what the page has dropped long ago, so that a list which keeps its latest items does not grow here.
   *
   * @param {Node} copy
   * @param {Element} target
   */
  #prune(copy, target) {
    if (dom(copy).childNodes.length <= dom(target).childNodes.length + SPARE) return;
    const present = new Set([...dom(target).childNodes].map((node) => this.of(node)));
    for (const child of [...dom(copy).childNodes]) if (!present.has(child)) dom(child).remove();
  }

  /**
   * Take something for what the server says of a node.
   *
   * @param {Node} live
   * @param {Node} copy
   */
  set(live, copy) {
    this.#copies.set(live, copy);
  }

  /**
   * Return the nodes in a part of the page by their copies.
   *
   * @param {Node} root
   * @returns {Map<Node, ChildNode>}
   */
  invert(root) {
    const found = new Map();
    const walker = dom(document).createTreeWalker(root);
    for (let live = walker.nextNode(); live; live = walker.nextNode()) {
      const copy = this.of(live);
      if (copy) found.set(copy, live);
    }
    return found;
  }
}

/** @param {Node[]} nodes */
function elementsOf(nodes) {
  return nodes.filter((node) => node instanceof Element);
}

export const serverCopy = new ServerCopy();
/** @type {MutationRecord[]} */
const changes = [];
dom(document).dispatchEvent(new CustomEvent(EARLY_EVENT, { detail: changes }));
serverCopy.take(changes);
