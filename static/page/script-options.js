import { dom } from "../dom.js";

/**
 * Read the settings of a script from the `data-` attributes of its tag. A marker attribute identifies the tag, because a
 * module has no `document.currentScript`.
 *
 * @template {Record<string, number | string | boolean>} Options
 * @param {string} marker
 * @param {Options} defaults they also define the type of each setting
 * @returns {Options}
 */
export function scriptOptions(marker, defaults) {
  const script = dom(document).querySelector(`script[${marker}]`);
  const settings = script instanceof HTMLElement ? script.dataset : {};
  const entries = Object.entries(defaults).map(([name, value]) => [name, parse(settings[name], value)]);
  return Object.fromEntries(entries);
}

/**
 * @param {string | undefined} text
 * @param {number | string | boolean} fallback
 */
function parse(text, fallback) {
  if (text === undefined) return fallback;
  if (typeof fallback === "number") return Number.isFinite(Number(text)) ? Number(text) : fallback;
  return typeof fallback === "boolean" ? text !== "false" : text;
}
