import {
  CONNECT_ATTRIBUTE,
  CURSOR_ATTRIBUTE,
  HEAL_ATTRIBUTE,
  HEAL_SPREAD_MS,
  HEARTBEAT_SECONDS,
  LIVENESS_HEARTBEATS,
  RESET_EVENT,
} from "../protocol.js";
import { decide } from "../stream/retry-policy.js";
import { sources } from "./sources.js";

/** @typedef {import("./page-source.js").PageSource} PageSource */

const WHOLE_PAGE = "body";
const PATIENCE_MS = HEARTBEAT_SECONDS * LIVENESS_HEARTBEATS * 1000;

let healing = false;
/** Ends the present pause. @type {(value?: unknown) => void} */
let wake = () => {};

/**
 * Heal a gap: fetch the page anew, morph what is shown into it, and go on from the cursor that it brings.
 *
 * Until then the source is held, so that nothing is applied to content that lacks what came before. With
 * `data-sse-heal="event"`, or when a listener cancels the `sse:reset` event, the page does it itself, and the stream goes on.
 *
 * @param {PageSource} source
 * @param {{ channels: string[], cursor: string }} gap
 */
export function heal(source, gap) {
  const event = new CustomEvent(RESET_EVENT, { bubbles: true, cancelable: true, detail: gap });
  const isOurs = source.element?.dispatchEvent(event) && source.element.getAttribute(HEAL_ATTRIBUTE) !== "event";
  if (!isOurs) return;
  source.hold();
  if (!healing) attemptAfter(Math.random() * HEAL_SPREAD_MS);
}

/** Try at once what waits for its next attempt, or was refused; but never before a `Retry-After`. */
export function healNow() {
  if (healing) wake();
  else if (stale().length > 0) attemptAfter(0);
}

/**
 * Attempt to heal until no source of this page is stale, or the server refuses. Then new hope is waited for.
 *
 * @param {number} delay milliseconds
 */
async function attemptAfter(delay) {
  healing = true;
  try {
    /** @type {Wait | null} */
    let next = { delay, binding: false, tries: 0 };
    while (next) {
      await pause(next);
      next = stale().length > 0 ? await attempt(next.tries) : null;
    }
  } catch (error) {
    reportError(error);
    tell({ status: 200, final: true, delay: 0, error });
  } finally {
    healing = false;
  }
}

/** @typedef {{ delay: number, binding: boolean, tries: number }} Wait */

/** @param {Wait} wait */
function pause({ delay, binding }) {
  return new Promise((resolve) => {
    setTimeout(resolve, delay);
    if (!binding) wake = resolve;
  });
}

/**
 * @param {number} tries attempts that have failed before
 * @returns {Promise<Wait | null>} what the next one has to wait for; null if there is none
 */
async function attempt(tries) {
  const { fresh, morph, ...answer } = await fetchPage();
  if (fresh && morph) {
    renew(fresh, morph);
    return null;
  }
  const decision = decide({ ...answer, tries });
  const isNews = stale().some(({ outdated }) => !outdated);
  if (decision.final && isNews)
    console.warn(`sse: ${location.href} answered ${answer.status}, so this page stays as it was`);
  tell({ ...answer, ...decision });
  return decision.final ? null : decision;
}

/**
 * Fetch this page, and what morphs it.
 *
 * @returns {Promise<{ status: number, retryAfter?: string | null, error?: unknown, fresh?: Document, morph?: Morph }>}
 */
async function fetchPage() {
  try {
    const options = { headers: { Accept: "text/html" }, signal: AbortSignal.timeout(PATIENCE_MS) };
    const response = await fetch(location.href, { ...options, cache: "no-store" });
    const { status, headers } = response;
    if (!isThisPage(response)) return { status, retryAfter: headers.get("Retry-After") };
    const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
    return { status, fresh, ...(await import("./morph.js")) };
  } catch (error) {
    return { status: 0, error };
  }
}

/** @typedef {typeof import("./morph.js").morph} Morph */

/** @param {Response} response */
function isThisPage({ ok, redirected, headers }) {
  return ok && !redirected && headers.get("Content-Type")?.startsWith("text/html");
}

/**
 * Morph what has a gap, and let all sources go on from there whose content that was.
 *
 * @param {Document} fresh
 * @param {Morph} morph
 */
function renew(fresh, morph) {
  const regions = staleRegions(fresh);
  for (const region of regions) morph(region, fresh);
  const cursor = fresh.querySelector(`[${CURSOR_ATTRIBUTE}]`)?.getAttribute(CURSOR_ATTRIBUTE) ?? "";
  for (const source of [...sources]) {
    if (source.element?.isConnected === false) source.close();
    else if (regions.includes(WHOLE_PAGE) || regions.includes(regionOf(source))) goOn(source, cursor);
  }
  Reflect.get(globalThis, "htmx")?.process(document.body);
}

/**
 * @param {PageSource} source
 * @param {string} cursor
 */
function goOn(source, cursor) {
  const { element, stale } = source;
  const isOurs = stale || element?.hasAttribute(CURSOR_ATTRIBUTE);
  if (isOurs) source.resumeAfter(cursor, element?.getAttribute(CONNECT_ATTRIBUTE) ?? source.url);
}

/**
 * Return the selectors of what is to be morphed: the regions that stale sources name, if the fresh page has the same ones.
 *
 * @param {Document} fresh
 */
function staleRegions(fresh) {
  const named = new Set(stale().map(regionOf));
  const count = (/** @type {Document} */ page, /** @type {string} */ region) => page.querySelectorAll(region).length;
  const areSame = [...named].every((region) => count(document, region) === count(fresh, region));
  return areSame ? [...named] : [WHOLE_PAGE];
}

/** @param {PageSource} source */
function regionOf({ element }) {
  const named = element?.getAttribute(HEAL_ATTRIBUTE);
  return named && named !== "event" ? named : WHOLE_PAGE;
}

function stale() {
  return [...sources].filter((source) => source.stale);
}

/** @param {import("./page-source.js").Loss} loss */
function tell(loss) {
  for (const source of stale()) source.show(loss);
}
