/**
 * Have htmx process an element whose content the kit has changed by itself.
 *
 * @param {Element} element
 */
export function processElement(element) {
  Reflect.get(globalThis, "htmx")?.process(element);
}
