import { dom } from "../dom.js";
import { serverCopy } from "../morph/server-copy.js";
import { patch } from "../morph/three-way.js";
import { BEFORE_HEAL_EVENT, CONNECT_ATTRIBUTE, CURSOR_ATTRIBUTE, HEAL_ATTRIBUTE } from "../protocol.js";
import { bringIn } from "./new-content.js";
import { addressOf } from "./page-address.js";
import { sources } from "./sources.js";

/** @typedef {import("./page-source.js").PageSource} PageSource */

const BY_EVENT = "event";
const WHOLE_PAGE = ":root";

/**
 * Bring the regions of sources that have a gap up to date, and let the sources of that content resume. The page may decide
 * otherwise: then it stays as it is.
 *
 * @param {Document} fresh
 * @param {PageSource[]} stale
 * @returns {boolean} whether the page is up to date
 */
export function replaceStale(fresh, stale) {
  const cursor = dom(fresh).querySelector(`[${CURSOR_ATTRIBUTE}]`)?.getAttribute(CURSOR_ATTRIBUTE) ?? "";
  const event = new CustomEvent(BEFORE_HEAL_EVENT, { cancelable: true, detail: { fresh } });
  if (!dom(document).dispatchEvent(event)) return false;
  const regions = regionsOf(stale, fresh);
  for (const region of regions) replaceRegion(region, fresh);
  for (const source of [...sources]) {
    if (source.element?.isConnected === false) source.close();
    else if (regions.includes(WHOLE_PAGE) || regions.includes(regionOf(source))) resume(source, cursor);
  }
  return true;
}

/**
 * @param {string} region
 * @param {Document} fresh
 */
function replaceRegion(region, fresh) {
  const elements = [...dom(fresh).querySelectorAll(region)];
  for (const [index, live] of [...dom(document).querySelectorAll(region)].entries()) {
    const base = /** @type {Element} */ (serverCopy.of(live) ?? serverCopy.add(live));
    bringIn(patch(base, elements[index], live));
  }
}

/**
 * @param {PageSource} source
 * @param {string} cursor
 */
function resume(source, cursor) {
  const { element, isStale } = source;
  if (addressOf(element) === "") return; // the fresh page does not have what it shows
  if (!isStale && !dom(element)?.hasAttribute(CURSOR_ATTRIBUTE)) return;
  source.resumeAfter(cursor, dom(element)?.getAttribute(CONNECT_ATTRIBUTE) ?? source.url);
}

/**
 * Return the selectors of what to bring up to date: the regions of the sources if the fresh page has the same ones, else the
 * whole page.
 *
 * @param {PageSource[]} stale
 * @param {Document} fresh
 */
function regionsOf(stale, fresh) {
  const regions = new Set(stale.map(regionOf));
  const count = (/** @type {Document} */ page, /** @type {string} */ region) =>
    dom(page).querySelectorAll(region).length;
  const areSame = [...regions].every((region) => count(document, region) === count(fresh, region));
  return areSame ? [...regions] : [WHOLE_PAGE];
}

/** @param {PageSource} source */
function regionOf({ element }) {
  const region = dom(element)?.getAttribute(HEAL_ATTRIBUTE);
  return region && region !== BY_EVENT ? region : WHOLE_PAGE;
}
