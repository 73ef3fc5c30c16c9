import { CONNECTION_PARAM, RENEW_PATH, STREAM_PATH, SUB_PARAM } from "../protocol.js";

/** @typedef {import("./subscription.js").Subscription} Subscription */
/** @typedef {{ grant: string, expires: number } | { denied: string }} Answer for one grant; `expires` is in seconds */

// Renew when this part of a grant's time is over; after a failure, when this part of the rest is over.
const RENEW_AT = 0.8;
const MIN_DELAY_MS = 1_000;

/**
 * Return when to renew the first of some grants, in milliseconds from now.
 *
 * @param {Subscription[]} subscriptions
 * @param {number} now milliseconds since the epoch
 */
export function renewalDelay(subscriptions, now) {
  const rest = Math.min(...subscriptions.map(({ expiresAt }) => expiresAt)) - now;
  return Math.max(rest * RENEW_AT, MIN_DELAY_MS);
}

/**
 * Ask the server for new grants for a running connection.
 *
 * @param {string} address of streams
 * @param {string} connection the server's id of the connection
 * @param {Subscription[]} subscriptions
 * @param {typeof globalThis.fetch} fetch
 * @returns {Promise<Answer[] | null>} one answer for each; null if the server did not answer
 */
export async function renewGrants(address, connection, subscriptions, fetch) {
  const grants = subscriptions.map(({ grant }) => [SUB_PARAM, grant]);
  const body = new URLSearchParams([[CONNECTION_PARAM, connection], ...grants]);
  try {
    const response = await fetch(renewAddress(address), { method: "POST", body, cache: "no-store", redirect: "error" });
    return response.ok ? (await response.json()).subs : null;
  } catch {
    return null; // the stream fails with the network, too, and reports it
  }
}

/** @param {string} address */
function renewAddress(address) {
  return address.slice(0, -STREAM_PATH.length) + RENEW_PATH;
}
