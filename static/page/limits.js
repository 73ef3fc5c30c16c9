import { RETRY_CAP_MS } from "../protocol.js";
import { decide } from "../stream/retry-policy.js";

/** How patiently this page reconnects, and whether it logs each loss. Milliseconds. */
export const limits = { checkInterval: RETRY_CAP_MS, maxRetries: Number.POSITIVE_INFINITY, debug: false };

/**
 * Decide within the page's limits.
 *
 * @type {typeof decide}
 */
export function decideWithinLimits(attempt) {
  const decision = applyMaxRetries(decide({ ...attempt, cap: limits.checkInterval }));
  logLoss({ ...attempt, ...decision });
  return decision;
}

/**
 * Make a loss final if there were too many in a row.
 *
 * @template {{ tries?: number, final: boolean, delay: number }} Outcome
 * @param {Outcome} outcome
 * @returns {Outcome}
 */
export function applyMaxRetries(outcome) {
  if ((outcome.tries ?? 0) <= limits.maxRetries) return outcome;
  return { ...outcome, final: true, delay: 0, binding: false };
}

/** @param {object} loss */
export function logLoss(loss) {
  if (limits.debug) console.info("sse: connection lost", loss);
}
