import { environment } from "../environment.js";
import { HEAL_ATTRIBUTE, HEAL_SPREAD_MS, HEARTBEAT_SECONDS, LIVENESS_HEARTBEATS, RESET_EVENT } from "../protocol.js";
import { decide } from "../stream/retry-policy.js";
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
  const isOurs = source.element?.dispatchEvent(event) && source.element.getAttribute(HEAL_ATTRIBUTE) !== BY_EVENT;
  if (!isOurs) return;
  source.hold();
  healer.start();
}

/** Heal every gap of this page now instead of later. */
export function healNow() {
  healer.startNow();
}

/**
 * @param {number} tries failed attempts before this one
 * @returns {Promise<Wait | null>} what to wait for before the next attempt; null if there is none
 */
async function attempt(tries) {
  const { fresh, ...answer } = await fetchPage();
  if (fresh) {
    const { replaceStale } = await import("./replace-stale.js");
    replaceStale(fresh, staleSources());
    return null;
  }
  const decision = decide({ ...answer, tries });
  const isUnexpected = staleSources().some(({ isRenewing }) => !isRenewing);
  if (decision.final && isUnexpected)
    console.warn(`sse: ${location.href} answered ${answer.status}, so this page stays as it was`);
  showLoss({ ...answer, ...decision });
  return decision.final ? null : decision;
}

/**
 * Fetch this page.
 *
 * @returns {Promise<{ status: number, retryAfter?: string | null, error?: unknown, fresh?: Document }>}
 */
async function fetchPage() {
  try {
    const options = { headers: { Accept: "text/html" }, signal: AbortSignal.timeout(TIMEOUT_MS) };
    const response = await environment.fetch(location.href, { ...options, cache: "no-store" });
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
