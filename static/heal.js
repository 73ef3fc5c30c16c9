import { delay } from "./backoff.js";
import { CURSOR_ATTRIBUTE, HEAL_ATTRIBUTE, HEAL_SPREAD_MS, RESET_EVENT } from "./protocol.js";

/** @typedef {import("./page-source.js").PageSource} PageSource */

/** The sources that wait for the page to be brought up to date. @type {Set<PageSource>} */
const waiting = new Set();

/**
 * Heal a gap: fetch the page anew, morph what is shown into it, and go on from the cursor that it brings.
 *
 * Until then the source is suspended, so that nothing is applied to content that lacks what came before. With
 * `data-sse-heal="event"`, or when a listener cancels the `sse:reset` event, the page does it itself, and the stream goes on.
 *
 * @param {PageSource} source
 * @param {{ channels: string[], cursor: string }} gap
 */
export async function heal(source, gap) {
  const event = new CustomEvent(RESET_EVENT, { bubbles: true, cancelable: true, detail: gap });
  const handled = source.element?.dispatchEvent(event) === false;
  if (handled || source.element?.getAttribute(HEAL_ATTRIBUTE) === "event") return;
  source.stale = true;
  source.suspend();
  waiting.add(source);
  if (waiting.size === 1) await healAll();
}

/** One fetch heals all sources of the page. */
async function healAll() {
  await pause(Math.random() * HEAL_SPREAD_MS);
  const fresh = await fetchPage();
  const healed = [...waiting];
  waiting.clear();
  const { morph } = await import("./morph.js");
  for (const region of regions(healed)) morph(region, fresh);
  const cursor = fresh.querySelector(`[${CURSOR_ATTRIBUTE}]`)?.getAttribute(CURSOR_ATTRIBUTE) ?? "";
  for (const source of healed) {
    source.resumeAfter(cursor);
    source.resume();
  }
}

/**
 * The selectors of what is to be healed: the whole body, unless every source names a region.
 *
 * @param {PageSource[]} healed
 */
function regions(healed) {
  const named = healed.map((source) => source.element?.getAttribute(HEAL_ATTRIBUTE) || "body");
  return named.includes("body") ? ["body"] : [...new Set(named)];
}

/**
 * Fetch this page, however often the server is not there yet.
 *
 * @returns {Promise<Document>}
 */
async function fetchPage() {
  for (let tries = 0; ; tries++) {
    try {
      const response = await fetch(location.href, { headers: { Accept: "text/html" }, cache: "no-store" });
      if (response.ok) return new DOMParser().parseFromString(await response.text(), "text/html");
      if (response.status < 500) throw new Error(`${location.href} answered ${response.status}`);
    } catch (error) {
      if (!(error instanceof TypeError)) throw error; // a TypeError is the network's
    }
    await pause(delay(tries));
  }
}

/** @param {number} milliseconds */
function pause(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
