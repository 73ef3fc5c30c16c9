import { dom } from "../dom.js";
import { environment } from "../environment.js";
import {
  CURSOR_ATTRIBUTE,
  HEAL_ATTRIBUTE,
  HEAL_SPREAD_MS,
  HEARTBEAT_SECONDS,
  LIVENESS_HEARTBEATS,
  RESET_EVENT,
} from "../protocol.js";
import { isCoveredBy, parseCursor } from "../stream/cursor.js";
import { decide } from "../stream/retry-policy.js";
import { HEALS_A_MINUTE, HealLimit } from "./heal-limit.js";
import { addressOf } from "./page-address.js";
import { parsePage } from "./parse-page.js";
import { sources } from "./sources.js";

/** @typedef {import("./page-source.js").PageSource} PageSource */
/** @typedef {{ channels: string[], cursor: string }} Gap */
/** @typedef {{ delay: number, binding: boolean, tries: number }} Wait */

const BY_EVENT = "event";
const TIMEOUT_MS = HEARTBEAT_SECONDS * LIVENESS_HEARTBEATS * 1000;

/** Heals the gaps of this page: one request at a time, for all sources that have a gap. */
class Healer {
  #environment;
  #isHealing = false;
  /** Ends the current wait. @type {(value?: unknown) => void} */
  #wake = () => {};

  constructor(env = environment) {
    this.#environment = env;
  }

  /** Begin to heal after a random delay, so that not all pages ask the server at once. */
  start() {
    if (!this.#isHealing) this.#attemptAfter(this.#environment.random() * HEAL_SPREAD_MS);
  }

  /** Make the next attempt now, even if the server has refused the last one; but never before a `Retry-After`. */
  startNow() {
    if (this.#isHealing) this.#wake();
    else if (staleSources().length > 0) this.#attemptAfter(0);
  }

  /**
   * Attempt until no source is stale or the server refuses.
   *
   * @param {number} delay milliseconds
   */
  async #attemptAfter(delay) {
    this.#isHealing = true;
    try {
      /** @type {Wait | null} */
      let next = { delay, binding: false, tries: 0 };
      while (next) {
        await this.#wait(next);
        next = staleSources().length > 0 ? await attempt(next.tries) : null;
      }
    } catch (error) {
      reportError(error);
      showLoss({ status: 200, final: true, delay: 0, error });
    } finally {
      this.#isHealing = false;
    }
  }

  /** @param {Wait} wait */
  #wait({ delay, binding }) {
    return new Promise((resolve) => {
      this.#environment.setTimeout(() => resolve(undefined), delay);
      if (!binding) this.#wake = resolve;
    });
  }
}

const healer = new Healer();
const limit = new HealLimit();
/** From where the stream of a source continues after its gap. @type {WeakMap<PageSource, string>} */
const gaps = new WeakMap();
/** What was said already. @type {Set<string>} */
const warnings = new Set();

/**
 * Heal a gap: fetch the page again, morph the current content into it, and resume from the cursor that it brings.
 *
 * Until then the source is on hold, so that no event is applied to content that lacks what came before. With
 * `data-sse-heal="event"`, or if a listener cancels the `sse:reset` event, the page heals itself, and the stream continues.
 *
 * @param {PageSource} source
 * @param {Gap} gap
 */
export function heal(source, gap) {
  const event = new CustomEvent(RESET_EVENT, { bubbles: true, cancelable: true, detail: gap });
  const isOurs =
    dom(source.element)?.dispatchEvent(event) && dom(source.element)?.getAttribute(HEAL_ATTRIBUTE) !== BY_EVENT;
  if (!isOurs) return;
  source.hold();
  gaps.set(source, gap.cursor);
  healer.start();
}

/** Heal every gap of this page now instead of later. */
export function healNow() {
  healer.startNow();
}

/** Tell whether this page has a gap that only a reload closes. */
export function isBeyondHealing() {
  return staleSources().length > 0 && refusalOf(staleSources()) !== "";
}

/**
 * @param {number} tries failed attempts before this one
 * @returns {Promise<Wait | null>} what to wait for before the next attempt; null if there is none
 */
async function attempt(tries) {
  const refusal = refusalOf(staleSources());
  if (refusal) return refuse(refusal);
  const stale = staleSources().filter(hasPage);
  const address = addressOf(stale[0].element);
  const { fresh, ...answer } = await fetchPage(address);
  if (fresh && isNewEnough(fresh, stale)) {
    const { replaceStale } = await import("./replace-stale.js");
    if (replaceStale(fresh, stale)) limit.count();
    return null;
  }
  if (fresh) warn(`${address} brought a page from before the gap: a cache or a service worker answers for the server`);
  const decision = decide({ ...answer, ...(fresh && { status: 0 }), tries });
  const isUnexpected = stale.some(({ isRenewing }) => !isRenewing);
  if (decision.final && isUnexpected) warn(`${address} answered ${answer.status}, so this page stays as it was`, true);
  showLoss({ ...answer, ...decision });
  return decision.final ? null : decision;
}

/**
 * Return why a page must not be fetched again; "" if it may.
 *
 * @param {PageSource[]} stale
 */
function refusalOf(stale) {
  if (!stale.some(hasPage)) return "no GET brings this page again, so it stays as it was: reload it";
  if (limit.isReached) return `this page has healed ${HEALS_A_MINUTE} times within a minute, so it stays as it was`;
  return "";
}

/**
 * @param {string} refusal
 * @returns {null}
 */
function refuse(refusal) {
  warn(refusal);
  showLoss({ status: 0, final: true, delay: 0, error: new Error(refusal) });
  return null;
}

/** @param {PageSource} source */
function hasPage({ element }) {
  return addressOf(element) !== "";
}

/**
 * Tell whether a fresh page has what the sources have missed. One of the time before, of a log that is gone or of the same one,
 * comes from a cache.
 *
 * @param {Document} fresh
 * @param {PageSource[]} stale
 */
function isNewEnough(fresh, stale) {
  const cursor = parseCursor(cursorOf(fresh));
  return stale.every((source) => {
    const gap = parseCursor(gaps.get(source) ?? "");
    const isOfBefore = cursor?.epoch === parseCursor(cursorOf(source.element))?.epoch;
    return !cursor || !gap || isCoveredBy(gap, cursor) || (cursor.epoch !== gap.epoch && !isOfBefore);
  });
}

/** @param {Element | Document | null} root */
function cursorOf(root) {
  const element = root instanceof Element ? root : dom(root)?.querySelector(`[${CURSOR_ATTRIBUTE}]`);
  return dom(element)?.getAttribute(CURSOR_ATTRIBUTE) ?? "";
}

/**
 * @param {string} text
 * @param {boolean} [isRepeated] whether it is said each time
 */
function warn(text, isRepeated = false) {
  if (!warnings.has(text) || isRepeated) console.warn(`sse: ${text}`);
  warnings.add(text);
}

/**
 * Fetch a page.
 *
 * @param {string} address
 * @returns {Promise<{ status: number, retryAfter?: string | null, error?: unknown, fresh?: Document }>}
 */
async function fetchPage(address) {
  try {
    const options = { headers: { Accept: "text/html" }, signal: AbortSignal.timeout(TIMEOUT_MS) };
    const response = await environment.fetch(address, { ...options, cache: "no-store" });
    const { status, headers } = response;
    if (!isThisPage(response)) return { status, retryAfter: headers.get("Retry-After") };
    return { status, fresh: parsePage(await response.text()) };
  } catch (error) {
    return { status: 0, error };
  }
}

/** @param {Response} response */
function isThisPage({ ok, redirected, headers }) {
  return ok && !redirected && headers.get("Content-Type")?.startsWith("text/html");
}

function staleSources() {
  return [...sources].filter((source) => source.isStale);
}

/** @param {Partial<import("./page-source.js").Loss>} loss */
function showLoss(loss) {
  for (const source of staleSources()) source.showState(loss);
}
