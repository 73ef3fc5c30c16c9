// What the reader has chosen or written, and what may not get lost on the way.

import { dom } from "../dom.js";

/**
 * Change a select, and keep what the reader has chosen in it; what nobody has chosen becomes the server's choice.
 *
 * @param {Element} element any element
 * @param {() => void} change
 */
export function keepingChoice(element, change) {
  if (!(element instanceof HTMLSelectElement)) return change();
  const chosen = isChosen(element) ? [...element.selectedOptions].map(({ value }) => value) : null;
  change();
  const options = [...element.options];
  if (!chosen && !hasDefault(element)) return;
  for (const option of options) option.selected = chosen ? chosen.includes(option.value) : option.defaultSelected;
}

/** @param {HTMLSelectElement} select */
function hasDefault(select) {
  return select.multiple || [...select.options].some((option) => option.defaultSelected);
}

/** @param {HTMLSelectElement} select */
function isChosen(select) {
  if (!hasDefault(select)) return select.selectedIndex > 0;
  return [...select.options].some((option) => option.selected !== option.defaultSelected);
}

/**
 * Tell whether somebody has written in an element that may be edited.
 *
 * @param {Element} live
 * @param {Element} base what the server said
 */
export function isWrittenIn(live, base) {
  return live instanceof HTMLElement && live.isContentEditable && dom(live).innerHTML !== dom(base).innerHTML;
}

/**
 * Change what a text area contains unless somebody has typed there.
 *
 * @param {Element} base
 * @param {Element} fresh
 * @param {HTMLTextAreaElement} live
 */
export function updateDefault(base, fresh, live) {
  const wasTyped = live.value !== live.defaultValue;
  dom(base).textContent = live.defaultValue = dom(fresh).textContent ?? "";
  if (!wasTyped) live.value = live.defaultValue;
}

/**
 * Move a node within the page; focus, playing media and frames stay as they are, where the browser can do that.
 *
 * @param {Element} parent
 * @param {ChildNode} node
 * @param {ChildNode | null} next
 */
export function moveBefore(parent, node, next) {
  if (node === next || (dom(node).parentNode === parent && dom(node).nextSibling === next)) return;
  const move = Reflect.get(parent, "moveBefore");
  if (move) return move.call(parent, node, next);
  const focused = dom(node).contains(dom(document).activeElement) ? dom(document).activeElement : null;
  dom(parent).insertBefore(node, next);
  if (focused instanceof HTMLElement) focused.focus({ preventScroll: true });
}
