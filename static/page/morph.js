import { STATE_ATTRIBUTE } from "../protocol.js";
import { Idiomorph } from "../vendor/idiomorph.js";

// What the browser's side writes: of a source, and of htmx 4, which finds by it what it has to clean up.
const OWN_ATTRIBUTES = [STATE_ATTRIBUTE, "data-htmx-powered"];

const FIELDS = "input, textarea, select, [contenteditable]";

/**
 * Morph the elements that a selector finds on this page into those of a fresh one. Focus, caret and scroll stay, and so
 * does what was typed, chosen or opened. An element with `hx-preserve` stays as it is.
 *
 * @param {string} selector
 * @param {Document} fresh
 */
export function morph(selector, fresh) {
  const news = fresh.querySelectorAll(selector);
  for (const [index, old] of [...document.querySelectorAll(selector)].entries()) {
    morphInto(old, news[index], "outerHTML");
  }
}

/**
 * Morph an element, or what is inside of it, with the same care.
 *
 * @param {Element} old
 * @param {Node | Node[]} news
 * @param {"outerHTML" | "innerHTML"} morphStyle
 */
export function morphInto(old, news, morphStyle) {
  Idiomorph.morph(old, news, {
    morphStyle,
    // Of an active element that is no field, this would keep the content as well.
    ignoreActiveValue: document.activeElement?.matches(FIELDS) ?? false,
    restoreFocus: true,
    callbacks: {
      beforeNodeMorphed: (/** @type {Node} */ node) => !isPreserved(node),
      beforeAttributeUpdated: (/** @type {string} */ name, /** @type {Element} */ element) => !isKept(name, element),
    },
  });
}

/** @param {Node} node */
function isPreserved(node) {
  return node instanceof Element && node.matches("[hx-preserve], [data-hx-preserve]");
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
