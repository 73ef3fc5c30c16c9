import { RETRY_BASE_MS, RETRY_CAP_MS } from "../protocol.js";

/**
 * Return how long to wait after a number of failures in a row: exponential back-off with full jitter.
 *
 * @param {number} tries failures before this one, from 0
 * @param {{ base?: number, cap?: number, random?: () => number }} [options] `base` (more than 0) and `cap` in milliseconds
 * @returns {number} milliseconds
 */
export function delay(tries, { base = RETRY_BASE_MS, cap = RETRY_CAP_MS, random = Math.random } = {}) {
  return random() * Math.min(cap, base * 2 ** tries);
}
