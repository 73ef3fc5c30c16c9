import { dom } from "../dom.js";
import { morphStyleOf, parseOutOfBand } from "./swap-spec.js";

const OOB = "hx-swap-oob";
const DATA_OOB = `data-${OOB}`;

/**
 * Split the HTML of a message into what is swapped out of band and the rest.
 *
 * @param {string} html
 * @returns {{ outOfBand: string, rest: string | null, extras: Extra[], swaps: OutOfBand[] }} `outOfBand` is the whole message, prepared for htmx 2,
 *   or "" if it has no part that this page can swap out of band; `rest` is the content beside such parts, or null if there is none;
 *   `extras` are the parts that htmx 2 cannot swap by itself; `swaps` tells how each part is swapped
 */
export function splitOutOfBand(html) {
  if (!html.includes(OOB)) return { outOfBand: "", rest: html, extras: [], swaps: [] };
  const template = dom(document).createElement("template");
  template.innerHTML = html;
  const parts = [...template.content.querySelectorAll(`[${OOB}], [${DATA_OOB}]`)];
  const hasTargets = parts.some(hasTarget);
  const swaps = parts.filter(hasTarget).map(toSwap);
  const extras = parts.filter(hasTarget).map(toExtra).filter(needsCare);
  const outOfBand = prepareForHtmx2(parts) ? template.innerHTML : html;
  for (const part of parts) dom(part).remove();
  const hasRest = [...template.content.childNodes].some(isContent);
  return { outOfBand: hasTargets ? outOfBand : "", rest: hasRest ? template.innerHTML : null, extras, swaps };
}

/** @typedef {import("./swap-spec.js").OutOfBand} OutOfBand */
/** @typedef {OutOfBand & { part: Element }} Extra */

/**
 * @param {Element} part
 * @returns {OutOfBand}
 */
function toSwap(part) {
  const parsed = parseOutOfBand(swapOf(part) ?? "");
  return { ...parsed, selector: parsed.selector || `#${CSS.escape(dom(part).id)}` };
}

/**
 * @param {Element} part
 * @returns {Extra}
 */
function toExtra(part) {
  return { ...toSwap(part), part: /** @type {Element} */ (dom(part).cloneNode(true)) };
}

/** @param {Extra} extra */
function needsCare({ style, modifiers }) {
  return modifiers !== "" || morphStyleOf(style) !== undefined;
}

/**
 * Have htmx 2 treat each part as htmx 4 does: it reports an error if the page does not have the target, and does not
 * support `textContent`, morphs and modifiers out of band. The caller takes care of the morphs.
 *
 * @param {Element[]} parts
 * @returns {boolean} whether a part was changed
 */
function prepareForHtmx2(parts) {
  const withoutTarget = parts.filter((part) => !hasTarget(part));
  for (const part of withoutTarget) setSwap(part, null);
  const withModifiers = parts.filter((part) => parseOutOfBand(swapOf(part) ?? "").modifiers);
  for (const part of withModifiers) setSwap(part, withoutModifiers(swapOf(part) ?? ""));
  const morphs = parts.filter((part) => morphStyleOf(parseOutOfBand(swapOf(part) ?? "").style));
  for (const part of morphs) setSwap(part, `none:${parseOutOfBand(swapOf(part) ?? "").selector || "body"}`);
  const texts = parts.filter((part) => swapOf(part)?.startsWith("textContent"));
  for (const part of texts) {
    setSwap(part, `innerHTML${swapOf(part)?.slice("textContent".length)}`);
    dom(part).replaceChildren(dom(part).textContent ?? "");
  }
  return withoutTarget.length + withModifiers.length + morphs.length + texts.length > 0;
}

/** @param {string} swap */
function withoutModifiers(swap) {
  const { style, selector } = parseOutOfBand(swap);
  return `${style}:${selector}`;
}

/** @param {Element} part */
function swapOf(part) {
  return dom(part).getAttribute(OOB) ?? dom(part).getAttribute(DATA_OOB);
}

/**
 * @param {Element} part
 * @param {string | null} swap
 */
function setSwap(part, swap) {
  dom(part).removeAttribute(DATA_OOB);
  if (swap === null) dom(part).removeAttribute(OOB);
  else dom(part).setAttribute(OOB, swap);
}

/** @param {Element} part */
function hasTarget(part) {
  const { selector } = parseOutOfBand(swapOf(part) ?? "");
  if (selector) return dom(document).querySelector(selector) !== null;
  return dom(part).id === "" || dom(document).getElementById(dom(part).id) !== null; // htmx reports a part without id
}

/** @param {Node} node */
function isContent(node) {
  return node instanceof Element || (node instanceof Text && node.data.trim() !== "");
}
