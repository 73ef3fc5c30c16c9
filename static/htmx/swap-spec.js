// How `hx-swap` and `hx-swap-oob` say what to swap, on both generations.

import { dom } from "../dom.js";

/** Morphs by the names of htmx 4 and of htmx 2's extension. @type {Record<string, "outerHTML" | "innerHTML">} */
const MORPHS = {
  morph: "outerHTML",
  outerMorph: "outerHTML",
  "morph:outerHTML": "outerHTML",
  innerMorph: "innerHTML",
  "morph:innerHTML": "innerHTML",
};

const WITH_MODIFIERS = /^(\S+)\s+target:(?:'([^']*)'|(\S+))\s*(.*)$/;

/**
 * @typedef {object} OutOfBand
 * @property {string} style
 * @property {string} selector "" for the element with the part's own id
 * @property {string} modifiers
 */

/**
 * Parse the value of `hx-swap-oob`: `style`, `style:selector`, or `style target:selector modifiers`, which htmx 2 cannot read.
 *
 * @param {string} value
 * @returns {OutOfBand}
 */
export function parseOutOfBand(value) {
  const [, named, quoted, bare, modifiers] = WITH_MODIFIERS.exec(value.trim()) ?? [];
  if (named) return { style: named, selector: quoted ?? bare, modifiers };
  const [, style = value.trim(), selector = ""] = /^([^:]+):(.+)$/.exec(value.trim()) ?? [];
  return { style, selector, modifiers: "" };
}

/**
 * Return which way a style morphs; undefined if it does not.
 *
 * @param {string} style
 */
export function morphStyleOf(style) {
  return MORPHS[style];
}

/**
 * Return a value of `hx-swap` with the name that htmx 4 has for a morph.
 *
 * @param {string} swap
 */
export function toHtmx4Swap(swap) {
  const [style, ...modifiers] = swap.trim().split(/\s+/);
  const morphStyle = morphStyleOf(style);
  if (!morphStyle) return swap;
  return [morphStyle === "outerHTML" ? "outerMorph" : "innerMorph", ...modifiers].join(" ");
}

/**
 * Return the value of a modifier, such as `bottom` of `show:bottom`.
 *
 * @param {string} modifiers
 * @param {string} name
 */
export function modifier(modifiers, name) {
  const found = modifiers.split(/\s+/).find((text) => text.startsWith(`${name}:`));
  return found?.slice(name.length + 1);
}

/**
 * Scroll as the modifiers `scroll` and `show` say.
 *
 * @param {string} modifiers
 * @param {Element} target
 */
export function scrollAs(modifiers, target) {
  const [scroll, show] = [modifier(modifiers, "scroll"), modifier(modifiers, "show")];
  if (scroll) elementOf(scroll, target).scrollTop = scroll.endsWith("bottom") ? target.scrollHeight : 0;
  if (show) elementOf(show, target).scrollIntoView({ block: show.endsWith("bottom") ? "end" : "start" });
}

/**
 * @param {string} place `top`, `bottom`, or one of them after a selector and a colon
 * @param {Element} target
 * @returns {Element}
 */
function elementOf(place, target) {
  const selector = place.slice(0, Math.max(0, place.lastIndexOf(":")));
  return (selector && dom(document).querySelector(selector)) || target;
}
