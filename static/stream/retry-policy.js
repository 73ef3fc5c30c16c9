import { FINAL_STATUSES, RETRY_BASE_MS, RETRY_CAP_MS } from "../protocol.js";
import { LONGEST_TIMEOUT_MS } from "../timer.js";
import { delay } from "./backoff.js";

/**
 * @typedef {object} Attempt how an attempt ended, and what came before
 * @property {number} status of the response; 0 without a response
 * @property {string | null} [contentType] the header
 * @property {string | null} [retryAfter] the header: seconds or an HTTP date
 * @property {number} [tries] failed attempts in a row before this one
 * @property {number} [lived] milliseconds for which the stream was open
 * @property {number} [base] milliseconds: the server's `retry`
 * @property {number} [cap] milliseconds: the longest back-off, unless `base` is longer
 * @property {number} [now] milliseconds since the epoch
 * @property {() => number} [random]
 */

/**
 * @typedef {object} Decision
 * @property {boolean} final whether there is no next attempt
 * @property {number} delay milliseconds until the next attempt; 0 if there is none
 * @property {boolean} binding whether the server asked for the delay, so that nothing may shorten it
 * @property {number} tries to pass to the next decision
 */

/**
 * Decide whether and when to try again.
 *
 * A stream resets the count only if it was open for longer than the delay that is due now. Otherwise the clients of a
 * server that accepts and hangs up at once would reconnect every half second for ever.
 *
 * @param {Attempt} attempt
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
  const requested = retryAfterMs(retryAfter, now);
  const wait = requested + delay(tries, { ...range, random });
  return { final: false, delay: Math.min(wait, LONGEST_TIMEOUT_MS), binding: requested > 0, tries: tries + 1 };
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
 * @returns {number} milliseconds; 0 without the header, or if it is malformed
 */
function retryAfterMs(value, now) {
  if (!value) return 0;
  if (/^\d+$/.test(value)) return Number(value) * 1000;
  return Math.max(0, Date.parse(value) - now) || 0;
}
