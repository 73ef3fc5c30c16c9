import { RETRY_CAP_MS } from "../protocol.js";
import { decide } from "../stream/retry-policy.js";

/** How patient this page's sources are, and whether they tell the console. */
export const limits = { checkInterval: RETRY_CAP_MS, maxRetries: Number.POSITIVE_INFINITY, debug: false };

/**
 * Decide as the limits say.
 *
 * @type {typeof decide}
 */
export function decideWithin(loss) {
  const decision = decide({ ...loss, cap: limits.checkInterval });
  return { ...decision, ...givenUp(decision.tries) };
}

/** @param {number} tries */
export function givenUp(tries) {
  return tries > limits.maxRetries ? { final: true, delay: 0, binding: false } : {};
}

/** @param {object} loss */
export function logLoss(loss) {
  if (limits.debug) console.info("sse: connection lost", loss);
}
