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
 * @property {number | null} [asked] milliseconds: the server's `retry`, which no delay is below; null without
 * @property {number} [cap] milliseconds: the longest back-off, unless the server asked for more
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
  asked = null,
  cap = RETRY_CAP_MS,
  now = Date.now(),
  random = Math.random,
}) {
  const isSuccess = status >= 200 && status < 300;
  const isStream = status === 200 && isEventStream(contentType);
  if (FINAL_STATUSES.includes(status) || (isSuccess && !isStream)) {
    return { final: true, delay: 0, binding: false, tries };
  }
  const range = jitterRange(asked, cap);
  const least = asked ?? 0;
  if (lived >= least + delay(tries, { ...range, random: () => 1 })) tries = 0;
  const requested = retryAfterMs(retryAfter, now);
  const wait = Math.max(requested, least) + delay(tries, { ...range, random });
  return { final: false, delay: Math.min(wait, LONGEST_TIMEOUT_MS), binding: requested > 0, tries: tries + 1 };
}

/**
 * Return the range of the jitter, which comes on top of what the server asked for. It is no wider than that at first: a server
 * that asks for a moment, or has spread its clients itself, does not want more. The sum is no longer than the longest back-off,
 * unless the server asked for that much.
 *
 * @param {number | null} asked
 * @param {number} cap
 */
function jitterRange(asked, cap) {
  const base = Math.max(1, Math.min(asked ?? RETRY_BASE_MS, RETRY_BASE_MS));
  const left = cap - (asked ?? 0);
  return { base, cap: left > 0 ? left : base };
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
