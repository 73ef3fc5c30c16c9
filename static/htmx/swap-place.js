/** @typedef {[parent: Node | null, after: Node | null, before: Node | null]} Bounds between which a swap inserts */

/** @type {Record<string, (target: Element) => Bounds>} */
const BOUNDS = {
  innerHTML: (target) => [target, null, null],
  textContent: (target) => [target, null, null],
  afterbegin: (target) => [target, null, target.firstChild],
  beforeend: (target) => [target, target.lastChild, null],
  outerHTML: (target) => [target.parentNode, target.previousSibling, target.nextSibling],
  beforebegin: (target) => [target.parentNode, target.previousSibling, target],
  afterend: (target) => [target.parentNode, target, target.nextSibling],
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
    let node = after ? after.nextSibling : parent?.firstChild;
    for (; node && node !== before; node = node.nextSibling) inserted.push(node);
    return inserted;
  };
}
