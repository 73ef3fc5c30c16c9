import { dom } from "../dom.js";

/**
 * Undo a change in the copy of a page.
 *
 * @param {MutationRecord} change the latest one that is not undone yet
 * @param {(live: Node) => Node | undefined} copyOf
 * @param {(live: Node) => Node} add makes the copy of a node that the page has lost
 */
export function undo(change, copyOf, add) {
  const { type, target, attributeName, oldValue, addedNodes, removedNodes, nextSibling } = change;
  const copy = copyOf(target);
  if (!copy) return;
  if (type === "characterData") dom(copy).nodeValue = oldValue;
  else if (type === "attributes") setAttribute(/** @type {Element} */ (copy), attributeName ?? "", oldValue);
  else {
    for (const node of addedNodes) /** @type {ChildNode | undefined} */ (copyOf(node))?.remove();
    const next = nextSibling && copyOf(nextSibling);
    for (const node of removedNodes)
      dom(copy).insertBefore(copyOf(node) ?? add(node), next && dom(next).parentNode === copy ? next : null);
  }
}

/**
 * @param {Element} element
 * @param {string} name
 * @param {string | null} value
 */
function setAttribute(element, name, value) {
  if (value === null) dom(element).removeAttribute(name);
  else dom(element).setAttribute(name, value);
}
