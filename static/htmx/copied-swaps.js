// What htmx is about to swap into the page is swapped into the copy of what the server said, too.

import { dom } from "../dom.js";
import { serverCopy } from "../morph/server-copy.js";
import { parsePage } from "../page/parse-page.js";
import { MORPH_ATTRIBUTE } from "../protocol.js";
import { noteSwapPlace } from "./swap-place.js";

const OUT_OF_BAND = "[hx-swap-oob], [data-hx-swap-oob]";

/**
 * Swap nodes into the copy, but for the morphs, which the live components apply.
 *
 * @param {string} style of the swap
 * @param {Element} target
 * @param {Node[]} nodes that are about to be inserted
 */
export function copySwap(style, target, nodes) {
  const content = nodes.filter(
    (node) => !(node instanceof HTMLTemplateElement && dom(node).hasAttribute(MORPH_ATTRIBUTE)),
  );
  if (content.length > 0 || nodes.length === 0)
    serverCopy.swap(
      style,
      target,
      content.map((node) => serverCopy.add(node)),
    );
}

/**
 * Take what an ordinary response brings for what the server says of it. It is not part of what the server says of the page: a
 * page that is fetched again does not have it.
 *
 * @param {Iterable<Node>} nodes that are about to be inserted
 */
export function copyResponse(nodes) {
  for (const node of nodes) serverCopy.add(node);
}

/**
 * Copy HTML that is about to be swapped, where nobody tells of the nodes that are inserted.
 *
 * @param {string} html
 * @param {{ style: string, target: Element, select?: string | null, isPublished: boolean, isPage?: boolean }} swap `isPage`:
 *   the HTML is a page, of which the content of the body is swapped
 * @returns {() => void} to be called when it has been swapped
 */
export function copyHtml(html, { style, target, select, isPublished, isPage = false }) {
  const copies = isPage && !select ? [...dom(parsePage(html)).body.childNodes] : serverCopy.parse(html, select);
  for (const copy of copies) if (copy instanceof Element && dom(copy).matches(OUT_OF_BAND)) dom(copy).remove();
  const place = noteSwapPlace(style, target);
  if (isPublished) serverCopy.swap(style, target, copies);
  return () => serverCopy.pairAll(copies, place());
}

/** The out-of-band swaps of a message on htmx 2, which tells of each target, but not of the style. */
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
    while (this.#swaps.length > 0 && (this.#done.has(target) || !dom(target).matches(this.#swaps[0].selector))) {
      this.#swaps.shift();
      this.#done.clear();
    }
    if (this.#swaps.length === 0) return;
    this.#done.add(target);
    const { style } = this.#swaps[0];
    copySwap(style === "true" ? "outerHTML" : style, target, [...dom(fragment).childNodes]);
  }
}
