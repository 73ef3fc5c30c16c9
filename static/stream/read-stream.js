import { isEventStream } from "./retry-policy.js";

/**
 * @typedef {object} Outcome how one attempt ended
 * @property {number} status of the response, or 0 without a response, or 401 if a redirect led to a page, such as one to sign in
 * @property {string | null} contentType
 * @property {string | null} retryAfter
 * @property {number} date the server's clock, in milliseconds since the epoch; NaN without a `Date` header
 * @property {any} refusal the JSON of a response that refuses; null without
 * @property {unknown} error what broke the connection; null if it ended
 */

/**
 * Fetch an event stream and pass on its bytes until it ends, breaks or is aborted. It never throws. Of any other response
 * it reads only the JSON of a refusal; the caller aborts the rest.
 *
 * @param {string} url
 * @param {object} options
 * @param {typeof globalThis.fetch} options.fetch
 * @param {RequestInit & { signal: AbortSignal }} options.init
 * @param {(response: Response) => void} options.onOpen
 * @param {(bytes: Uint8Array) => void} options.onBytes
 * @returns {Promise<Outcome>}
 */
export async function readStream(url, { fetch, init, onOpen, onBytes }) {
  /** @type {Outcome} */
  const outcome = { status: 0, contentType: null, retryAfter: null, date: Number.NaN, refusal: null, error: null };
  try {
    const response = await fetch(url, init);
    init.signal.throwIfAborted();
    Object.assign(outcome, describe(response));
    if (response.status === 200 && isEventStream(outcome.contentType)) {
      onOpen(response);
      await readBody(response, init.signal, onBytes);
    } else if (response.status === 403 && outcome.contentType?.startsWith("application/json")) {
      outcome.refusal = await response.json();
    }
  } catch (error) {
    outcome.error = error;
  }
  return outcome;
}

/** @param {Response} response */
function describe({ status, redirected, headers }) {
  const contentType = headers.get("Content-Type");
  return {
    status: redirected && !isEventStream(contentType) ? 401 : status,
    contentType,
    retryAfter: headers.get("Retry-After"),
    date: Date.parse(headers.get("Date") ?? ""),
  };
}

/**
 * @param {Response} response
 * @param {AbortSignal} signal
 * @param {(bytes: Uint8Array) => void} onBytes
 */
async function readBody({ body }, signal, onBytes) {
  // Safari cannot iterate over a ReadableStream with `for await`.
  const reader = body?.getReader();
  for (let chunk = await reader?.read(); chunk?.value; chunk = await reader?.read()) {
    signal.throwIfAborted();
    onBytes(chunk.value);
  }
}
