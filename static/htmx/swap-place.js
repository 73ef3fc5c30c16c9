import { dom } from "../dom.js";

/** @typedef {[parent: Node | null, after: Node | null, before: Node | null]} Bounds between which a swap inserts */

/** @type {Record<string, (target: Element) => Bounds>} */
const BOUNDS = {
  innerHTML: (target) => [target, null, null],
  textContent: (target) => [target, null, null],
  afterbegin: (target) => [target, null, dom(target).firstChild],
  beforeend: (target) => [target, dom(target).lastChild, null],
  outerHTML: (target) => [dom(target).parentNode, dom(target).previousSibling, dom(target).nextSibling],
  beforebegin: (target) => [dom(target).parentNode, dom(target).previousSibling, target],
  afterend: (target) => [dom(target).parentNode, target, dom(target).nextSibling],
};

/**
 * Note where a swap is about to insert something.
 *
 * @param {string} style
 * @param {Element} target
 * @returns {() => Node[]} returns what it has inserted
 */
export function noteSwapPlace(style, target) {
  const [parent, after, before] = BOUNDS[style]?.(target) ?? [null, null, null];
  return () => {
    const inserted = [];
    let node = after ? dom(after).nextSibling : dom(parent)?.firstChild;
    for (; node && node !== before; node = dom(node).nextSibling) inserted.push(node);
    return inserted;
  };
}
