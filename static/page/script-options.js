/**
 * Read a script's settings from the `data-` attributes of its own tag, which it finds by its marker: a module has no
 * `document.currentScript`.
 *
 * @template {Record<string, number | string | boolean>} Options
 * @param {string} marker the attribute that marks the tag
 * @param {Options} defaults whose types the settings have
 * @returns {Options}
 */
export function scriptOptions(marker, defaults) {
  const script = document.querySelector(`script[${marker}]`);
  const given = script instanceof HTMLElement ? script.dataset : {};
  const entries = Object.entries(defaults).map(([name, value]) => [name, read(given[name], value)]);
  return Object.fromEntries(entries);
}

/**
 * @param {string | undefined} text
 * @param {number | string | boolean} fallback
 */
function read(text, fallback) {
  if (text === undefined) return fallback;
  if (typeof fallback === "number") return Number.isFinite(Number(text)) ? Number(text) : fallback;
  return typeof fallback === "boolean" ? text !== "false" : text;
}
