import { dom } from "../dom.js";
import { environment } from "../environment.js";
import { CONNECTING_ATTRIBUTES } from "../htmx/names.js";
import { CONNECT_ATTRIBUTE, CURSOR_ATTRIBUTE, HEAL_SPREAD_MS } from "../protocol.js";
import { parsePage } from "./parse-page.js";
import { readText } from "./read-text.js";
import { isSameFollower } from "./same-channels.js";

/**
 * Get a new grant for an element whose page brings its content up to date by itself: the page is fetched, and nothing but the
 * grant is taken from it.
 *
 * @param {import("./page-source.js").PageSource} source
 */
export async function fetchGrant(source, env = environment) {
  await new Promise((resolve) => env.setTimeout(() => resolve(undefined), env.random() * HEAL_SPREAD_MS));
  const twin = await findTwin(source.element, env.fetch);
  const url = twin?.getAttribute(CONNECT_ATTRIBUTE);
  if (!twin || !url) return;
  for (const name of [CONNECT_ATTRIBUTE, ...CONNECTING_ATTRIBUTES]) dom(source.element)?.setAttribute(name, url);
  source.resumeAfter(twin.getAttribute(CURSOR_ATTRIBUTE) ?? "", url);
}

/**
 * Return the element on a fresh page that follows the same channels.
 *
 * @param {Element | null} element
 * @param {typeof globalThis.fetch} fetch
 */
async function findTwin(element, fetch) {
  try {
    const options = { headers: { Accept: "text/html" }, cache: "no-store", redirect: "manual" };
    const response = await fetch(location.href, /** @type {RequestInit} */ (options));
    if (!response.ok || !element) return null;
    const found = parsePage(await readText(response)).querySelectorAll(`[${CONNECT_ATTRIBUTE}]`);
    return [...found].find((candidate) => isSameFollower(element, candidate));
  } catch {
    return null; // a later attempt of the page, or of its reader, gets one
  }
}
