import { environment } from "../environment.js";
import { HEARTBEAT_SECONDS, LIVENESS_HEARTBEATS } from "../protocol.js";
import { parsePage } from "./parse-page.js";
import { MOST_BYTES, readText, TooLargeError } from "./read-text.js";

const TIMEOUT_MS = HEARTBEAT_SECONDS * LIVENESS_HEARTBEATS * 1000;
/** Headers by which caches say that they have answered. */
const CACHE_HEADERS = ["Age", "Cache-Status", "CF-Cache-Status", "X-Cache", "Via", "Cache-Control"];

/**
 * @typedef {object} Answer
 * @property {number} status 0 without an answer, and for a redirect
 * @property {string | null} [retryAfter] the header
 * @property {unknown} [error]
 * @property {Document} [fresh] the page, if it is one
 * @property {string} [cache] who may have answered for the server
 * @property {string} [reason] why there is no page: docs/healing.md lists the reasons
 * @property {string} [said] the same, for the console
 */

/**
 * Fetch a page. A redirect is not followed: what it leads to is another page.
 *
 * @param {string} address
 * @returns {Promise<Answer>}
 */
export async function fetchPage(address) {
  try {
    const options = { headers: { Accept: "text/html" }, signal: AbortSignal.timeout(TIMEOUT_MS) };
    const response = await environment.fetch(address, { ...options, cache: "no-store", redirect: "manual" });
    const { status, headers } = response;
    const failure = failureOf(response);
    if (failure) await response.body?.cancel();
    if (failure) return { status, retryAfter: headers.get("Retry-After"), ...failure };
    return { status, fresh: parsePage(await readText(response)), cache: nameCache(headers) };
  } catch (error) {
    if (error instanceof TooLargeError)
      return { status: 200, error, reason: "too-large", said: `answered more than ${MOST_BYTES} bytes` };
    return { status: 0, error, reason: "unavailable" };
  }
}

/**
 * @param {Response} response
 * @returns {{ reason: string, said: string } | null} null for a page
 */
function failureOf({ type, ok, redirected, status, headers }) {
  if (type === "opaqueredirect" || redirected)
    return { reason: "redirected", said: "redirects to another address, as for a user who is signed out" };
  if (status === 401) return { reason: "signed-out", said: "answered 401" };
  if (!ok) return { reason: status >= 500 || status === 429 ? "unavailable" : "refused", said: `answered ${status}` };
  const contentType = headers.get("Content-Type") ?? "";
  if (status === 204 || !/^text\/html\b/i.test(contentType))
    return { reason: "not-html", said: `answered ${status} with ${contentType || "no content"}, not with a page` };
  return null;
}

/**
 * Say which cache may have answered for the server, as far as it can be known.
 *
 * @param {Headers} headers of its answer
 */
function nameCache(headers) {
  const worker = globalThis.navigator?.serviceWorker?.controller?.scriptURL;
  if (worker) return `the service worker ${worker} answers for the server`;
  const said = CACHE_HEADERS.filter((name) => headers.has(name)).map((name) => `${name}: ${headers.get(name)}`);
  if (said.length > 0) return `a cache answers for the server (${said.join(", ")})`;
  return "a cache or a service worker answers for the server";
}
