// What htmx is about to swap into the page is swapped into the copy of what the server said, too.

import { serverCopy } from "../morph/server-copy.js";
import { MORPH_ATTRIBUTE } from "../protocol.js";

/**
 * Swap nodes into the copy, but for the morphs, which the live components apply.
 *
 * @param {string} style of the swap
 * @param {Element} target
 * @param {Node[]} nodes
 */
export function copySwap(style, target, nodes) {
  const content = nodes.filter((node) => !(node instanceof HTMLTemplateElement && node.hasAttribute(MORPH_ATTRIBUTE)));
  if (content.length > 0 || nodes.length === 0) serverCopy.swap(style, target, content);
}

/** The swaps of one message on htmx 2, which tells of each target, but not of the style. */
export class OutOfBandSwaps {
  #swaps;
  /** The targets that the first of the swaps has had. @type {Set<Element>} */
  #done = new Set();

  /** @param {import("./swap-spec.js").OutOfBand[]} swaps in the order of the message */
  constructor(swaps) {
    this.#swaps = [...swaps];
  }

  /**
   * Copy the swap of one target.
   *
   * @param {Element} target
   * @param {Node} fragment what is inserted
   */
  copy(target, fragment) {
    while (this.#swaps.length > 0 && (this.#done.has(target) || !target.matches(this.#swaps[0].selector))) {
      this.#swaps.shift();
      this.#done.clear();
    }
    if (this.#swaps.length === 0) return;
    this.#done.add(target);
    const { style } = this.#swaps[0];
    copySwap(style === "true" ? "outerHTML" : style, target, [...fragment.childNodes]);
  }
}
