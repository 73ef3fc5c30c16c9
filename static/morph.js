import { Idiomorph } from "./idiomorph.js";

/**
 * Morph the elements that a selector finds on this page into those of a fresh one. Focus, caret and scroll stay, and so
 * does what was typed or chosen.
 *
 * @param {string} selector
 * @param {Document} fresh
 */
export function morph(selector, fresh) {
  const olds = document.querySelectorAll(selector);
  const news = fresh.querySelectorAll(selector);
  for (const [index, old] of [...olds].entries()) {
    if (news[index]) {
      Idiomorph.morph(old, news[index], {
        morphStyle: "outerHTML",
        ignoreActiveValue: true,
        restoreFocus: true,
        callbacks: { beforeNodeMorphed: (/** @type {Node} */ node) => !isTouched(node) },
      });
    }
  }
  Reflect.get(globalThis, "htmx")?.process(document.body);
}

/** @param {Node} node */
function isTouched(node) {
  if (node instanceof HTMLInputElement) return node.value !== node.defaultValue || node.checked !== node.defaultChecked;
  if (node instanceof HTMLTextAreaElement) return node.value !== node.defaultValue;
  if (node instanceof HTMLOptionElement) return node.selected !== node.defaultSelected;
  return false;
}
