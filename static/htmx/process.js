/** @returns {any} */
const htmx = () => Reflect.get(globalThis, "htmx");

/**
 * Have htmx process an element whose attributes the kit has changed by itself.
 *
 * @param {Element} element
 */
export function processElement(element) {
  htmx()?.process(element, true);
}

/**
 * Have htmx process an element that the kit has inserted by itself, and tell those who wait for new content (`htmx.onLoad`).
 *
 * @param {Element} element
 */
export function processInserted(element) {
  htmx()?.process(element);
  if (!String(htmx()?.version).startsWith("4")) htmx()?.trigger(element, "htmx:load"); // on htmx 4, processing tells them
}

/** Tell whether htmx lets new content run scripts. */
export function allowsScripts() {
  return htmx()?.config.allowScriptTags !== false;
}
