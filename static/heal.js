import {
  CONNECT_ATTRIBUTE,
  CURSOR_ATTRIBUTE,
  HEAL_ATTRIBUTE,
  HEAL_SPREAD_MS,
  HEARTBEAT_SECONDS,
  LIVENESS_HEARTBEATS,
  RESET_EVENT,
} from "./protocol.js";
import { decide } from "./retry-policy.js";
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

function stale() {
  return [...sources].filter((source) => source.stale);
}

/**
 * Attempt to heal until no source of this page is stale, or the server refuses.
 *
 * @param {number} delay milliseconds
 */
async function attemptAfter(delay) {
  healing = true;
  /** @type {Pick<import("./retry-policy.js").Decision, "delay" | "binding" | "tries"> | null} */
  let next = { delay, binding: false, tries: 0 };
  while (next) {
    await pause(next);
    next = stale().length > 0 ? await attempt(next.tries) : null;
  }
  healing = false;
}

/** @param {{ delay: number, binding: boolean }} wait */
function pause({ delay, binding }) {
  return new Promise((resolve) => {
    setTimeout(resolve, delay);
    if (!binding) wake = resolve;
  });
}

/**
 * @param {number} tries attempts that have failed before
 * @returns what the next one has to wait for; null if there is none
 */
async function attempt(tries) {
  const { renew, status, retryAfter } = await fetchPage();
  try {
    if (renew) return renew();
  } catch (error) {
    console.error("sse: this page cannot be morphed", error);
  }
  const decision = decide({ status, retryAfter, tries });
  for (const source of stale()) source.report({ status, ...decision });
  if (decision.final) console.warn(`sse: ${location.href} answered ${status}, and so this page stays as it was`);
  return decision.final ? null : decision;
}

/**
 * Fetch this page, and what morphs it.
 *
 * @returns {Promise<{ status: number, retryAfter?: string | null, renew?: () => null }>} `renew` if the answer is this page
 */
async function fetchPage() {
  try {
    const { status, ok, redirected, headers, text } = await fetch(location.href, {
      headers: { Accept: "text/html" },
      cache: "no-store",
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
    const isPage = ok && !redirected && headers.get("Content-Type")?.startsWith("text/html");
    return { status };
  } catch {
    return { status: 0 };
  }
}
