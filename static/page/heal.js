import { dom } from "../dom.js";
import { environment } from "../environment.js";
import { CURSOR_ATTRIBUTE, HEAL_ATTRIBUTE, HEAL_SPREAD_MS, RESET_EVENT } from "../protocol.js";
import { isCoveredBy, parseCursor } from "../stream/cursor.js";
import { decide } from "../stream/retry-policy.js";
import { fetchPage } from "./fresh-page.js";
import { HEALS_A_MINUTE, HealLimit } from "./heal-limit.js";
import { addressOf } from "./page-address.js";
import { sources } from "./sources.js";

/** @typedef {import("./page-source.js").PageSource} PageSource */
/** @typedef {{ channels: string[], cursor: string }} Gap */
/** @typedef {{ delay: number, binding: boolean, tries: number }} Wait */

const BY_EVENT = "event";
const NO_GET = { reason: "no-get", said: "no GET brings this page again, so it stays as it was: reload it" };
const FINAL = { final: true, delay: 0, binding: false, tries: 0 };

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
      showLoss({ status: 200, final: true, delay: 0, error, reason: "broken" });
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
  return staleSources().some((source) => source.isBeyondHealing);
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
  const { fresh, cache, ...answer } = await fetchPage(address);
  if (fresh && isNewEnough(fresh, stale)) return update(fresh, stale);
  if (fresh)
    return retry(
      { ...answer, status: 0, reason: "cached" },
      tries,
      `${address} brought a page from before the gap: ${cache}`,
    );
  const isFinal = answer.reason === "redirected" || decide(answer).final;
  if (!isFinal) return retry(answer, tries);
  const isUnexpected = stale.some(({ isRenewing }) => !isRenewing);
  if (isUnexpected) warn(`${address} ${answer.said}, so this page stays as it was`, true);
  showLoss({ ...answer, ...FINAL });
  return null;
}

/**
 * @param {Document} fresh
 * @param {PageSource[]} stale
 * @returns {Promise<null>}
 */
async function update(fresh, stale) {
  const { replaceStale } = await import("./replace-stale.js");
  if (!replaceStale(fresh, stale)) {
    showLoss({ status: 200, final: false, delay: 0, reason: "held" });
    return null;
  }
  limit.count();
  return staleSources().some(hasPage) || staleSources().length === 0 ? null : refuse(NO_GET);
}

/**
 * @param {import("./fresh-page.js").Answer} answer of an attempt that has failed
 * @param {number} tries failed attempts before it
 * @param {string} [warning]
 * @returns {Wait}
 */
function retry(answer, tries, warning) {
  if (warning) warn(warning);
  const decision = decide({ ...answer, tries });
  showLoss({ ...answer, ...decision });
  return decision;
}

/**
 * Return why a page must not be fetched again; null if it may.
 *
 * @param {PageSource[]} stale
 * @returns {{ reason: string, said: string } | null}
 */
function refusalOf(stale) {
  if (!stale.some(hasPage)) return NO_GET;
  if (limit.isReached)
    return {
      reason: "too-often",
      said: `this page has healed ${HEALS_A_MINUTE} times within a minute, so it stays as it was`,
    };
  return null;
}

/**
 * @param {{ reason: string, said: string }} refusal
 * @returns {null}
 */
function refuse({ reason, said }) {
  warn(said);
  showLoss({ ...FINAL, status: 0, error: new Error(said), reason });
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

function staleSources() {
  return [...sources].filter((source) => source.isStale);
}

/** @param {Partial<import("./page-source.js").Loss>} loss */
function showLoss(loss) {
  for (const source of staleSources()) source.showState(loss);
}
