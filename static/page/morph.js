import { PRESERVED, PROCESSED_ATTRIBUTE } from "../htmx/names.js";
import { STATE_ATTRIBUTE } from "../protocol.js";
import { Idiomorph } from "../vendor/idiomorph.js";

// Attributes that only the browser's side writes.
const OWN_ATTRIBUTES = [STATE_ATTRIBUTE, PROCESSED_ATTRIBUTE];

const FIELDS = "input, textarea, select, [contenteditable]";

/**
 * Morph the elements that match a selector on this page into those of a fresh one. Focus, caret and scroll stay, and so does
 * what somebody has typed, chosen or opened. An element with `hx-preserve` stays as it is.
 *
 * @param {string} selector
 * @param {Document} fresh
 */
export function morph(selector, fresh) {
  const freshElements = fresh.querySelectorAll(selector);
  for (const [index, element] of [...document.querySelectorAll(selector)].entries()) {
    morphInto(element, freshElements[index], "outerHTML");
  }
}

/**
 * Morph an element, or its content, with the same care.
 *
 * @param {Element} element
 * @param {Node | Node[]} fresh
 * @param {"outerHTML" | "innerHTML"} morphStyle
 */
export function morphInto(element, fresh, morphStyle) {
  Idiomorph.morph(element, fresh, {
    morphStyle,
    // For an active element that is not a field, this option would keep the content as well.
    ignoreActiveValue: document.activeElement?.matches(FIELDS) ?? false,
    restoreFocus: true,
    callbacks: {
      beforeNodeMorphed: (/** @type {Node} */ node) => !isPreserved(node),
      beforeAttributeUpdated: (/** @type {string} */ name, /** @type {Element} */ owner) => !isKept(name, owner),
    },
  });
}

/** @param {Node} node */
function isPreserved(node) {
  return node instanceof Element && node.matches(PRESERVED);
}

/**
 * @param {string} attribute
 * @param {Element} element
 */
function isKept(attribute, element) {
  if (attribute === "open") return element.matches("details, dialog");
  if (attribute === "value") return isTyped(element);
  if (attribute === "checked") return element instanceof HTMLInputElement && element.checked !== element.defaultChecked;
  if (attribute === "selected") return isChosen(element.closest("select"));
  return OWN_ATTRIBUTES.includes(attribute);
}

/** @param {Element} element */
function isTyped(element) {
  const isField = element instanceof HTMLInputElement || element instanceof HTMLTextAreaElement;
  return isField && element.value !== element.defaultValue;
}

/** @param {HTMLSelectElement | null} select */
function isChosen(select) {
  const options = [...(select?.options ?? [])];
  const hasDefault = select?.multiple || options.some((option) => option.defaultSelected);
  return hasDefault
    ? options.some((option) => option.selected !== option.defaultSelected)
    : select?.selectedIndex !== 0;
}
