import { RENEW_PATH, STREAM_PATH, SUB_PARAM } from "../protocol.js";

/** @typedef {import("./subscription.js").Subscription} Subscription */
/** @typedef {{ grant: string, expires: number } | { denied: string }} Answer to one grant */

// A grant is renewed when this part of its time is over, and after a failure when this part of the rest is.
const PART = 0.8;
const SOONEST_MS = 1_000;

/**
 * Return when the first of some grants is to be renewed, in milliseconds from now.
 *
 * @param {Subscription[]} subscriptions
 */
export function renewalDelay(subscriptions) {
  const left = Math.min(...subscriptions.map(({ expiresAt }) => expiresAt)) - Date.now();
  return Math.max(left * PART, SOONEST_MS);
}

/**
 * Ask the server for new grants in the place of those of a running connection.
 *
 * @param {string} address of streams
 * @param {string} connection
 * @param {Subscription[]} subscriptions
 * @returns {Promise<Answer[] | null>} one for each; null if there is no answer now
 */
export async function renew(address, connection, subscriptions) {
  const grants = subscriptions.map(({ grant }) => [SUB_PARAM, grant]);
  const body = new URLSearchParams([["connection", connection], ...grants]);
  try {
    const response = await fetch(renewAddress(address), { method: "POST", body, cache: "no-store", redirect: "error" });
    return response.ok ? (await response.json()).subs : null;
  } catch {
    return null; // the network's failure is the stream's, too, and told there
  }
}

/** @param {string} address */
function renewAddress(address) {
  return address.slice(0, -STREAM_PATH.length) + RENEW_PATH;
}
