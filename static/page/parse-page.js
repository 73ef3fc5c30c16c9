import { dom } from "../dom.js";

/** What `<noscript>` may stand in without being an element, and the element itself. */
const PARTS =
  /<!--[\s\S]*?-->|<(script|style|textarea|title)\b[\s\S]*?<\/\1\s*>|<noscript\b([^>]*)>([\s\S]*?)<\/noscript\s*>/gi;
const PLACE = "data-sse-noscript";

/**
 * Parse a page as a browser that runs scripts does: what a `<noscript>` contains is text. (`DOMParser` runs no scripts, so it
 * would make elements of it.)
 *
 * @param {string} html
 * @returns {Document}
 */
export function parsePage(html) {
  /** @type {string[]} */
  const texts = [];
  const withPlaces = html.replace(PARTS, (part, _name, attributes, text) =>
    text === undefined ? part : `<template ${PLACE}="${texts.push(text) - 1}"${attributes}></template>`,
  );
  const page = new DOMParser().parseFromString(withPlaces, "text/html");
  for (const place of dom(page).querySelectorAll(`template[${PLACE}]`))
    dom(place).replaceWith(toNoscript(place, texts));
  return page;
}

/**
 * @param {Element} place
 * @param {string[]} texts
 */
function toNoscript(place, texts) {
  const element = dom(place).ownerDocument.createElement("noscript");
  dom(element).textContent = texts[Number(dom(place).getAttribute(PLACE))];
  dom(place).removeAttribute(PLACE);
  for (const attribute of [...dom(place).attributes])
    dom(element).setAttributeNode(place.removeAttributeNode(attribute));
  return element;
}
