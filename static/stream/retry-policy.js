import { FINAL_STATUSES, RETRY_BASE_MS, RETRY_CAP_MS } from "../protocol.js";
import { delay } from "./backoff.js";

/** A longer `setTimeout` fires at once. */
export const LONGEST_TIMEOUT_MS = 2 ** 31 - 1;

/**
 * @typedef {object} Loss how an attempt ended, and what came before
 * @property {number} status of the response; 0 without one
 * @property {string | null} [contentType] the header
 * @property {string | null} [retryAfter] the header: seconds or an HTTP date
 * @property {number} [tries] attempts in a row that came to nothing
 * @property {number} [lived] milliseconds for which the stream was open
 * @property {number} [base] milliseconds: the server's `retry`
 * @property {number} [cap] milliseconds: the longest range of the jitter, unless `base` is longer
 * @property {number} [now] milliseconds since the epoch
 * @property {() => number} [random]
 */

/**
 * @typedef {object} Decision
 * @property {boolean} final never again
 * @property {number} delay milliseconds until the next attempt; 0 if there is none
 * @property {boolean} binding the server named the delay: nobody may go earlier
 * @property {number} tries for the next decision
 */

/**
 * Decide whether and when to try again.
 *
 * A stream that outlived the wait it would be given now starts the count afresh. So a server that accepts and hangs up
 * at once does not bring its clients back every half second for ever.
 *
 * @param {Loss} loss
 * @returns {Decision}
 */
export function decide({
  status,
  contentType = null,
  retryAfter = null,
  tries = 0,
  lived = 0,
  base = RETRY_BASE_MS,
  cap = RETRY_CAP_MS,
  now = Date.now(),
  random = Math.random,
}) {
  if (FINAL_STATUSES.includes(status) || (status === 200 && !isEventStream(contentType))) {
    return { final: true, delay: 0, binding: false, tries };
  }
  const least = Math.min(Math.max(base, 1), LONGEST_TIMEOUT_MS);
  const range = { base: least, cap: Math.max(least, cap) };
  if (lived >= delay(tries, { ...range, random: () => 1 })) tries = 0;
  const asked = retryAfterMs(retryAfter, now);
  const wait = asked + delay(tries, { ...range, random });
  return { final: false, delay: Math.min(wait, LONGEST_TIMEOUT_MS), binding: asked > 0, tries: tries + 1 };
}

/**
 * @param {string | null} contentType
 * @returns {boolean}
 */
export function isEventStream(contentType) {
  return contentType?.split(";", 1)[0].trim().toLowerCase() === "text/event-stream";
}

/**
 * @param {string | null} value
 * @param {number} now
 * @returns {number} milliseconds; 0 if there is no such header, or none that can be read
 */
function retryAfterMs(value, now) {
  if (!value) return 0;
  if (/^\d+$/.test(value)) return Number(value) * 1000;
  return Math.max(0, Date.parse(value) - now) || 0;
}
