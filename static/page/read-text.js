/** How large a page or a part of it may be that the kit fetches, in bytes once they are unpacked. */
export const MOST_BYTES = 8_000_000;

/** A body that is larger than what is read of it. */
export class TooLargeError extends Error {}

/**
 * Return the text of a response. A body that is too large is given up while it arrives.
 *
 * @param {Response} response
 * @param {number} [most] bytes
 * @returns {Promise<string>} rejects with `TooLargeError`
 */
export async function readText({ body, headers }, most = MOST_BYTES) {
  if (!body) return "";
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let isTooLarge = Number(headers.get("Content-Length")) > most;
  let text = "";
  let bytes = 0;
  while (!isTooLarge) {
    const { done, value } = await reader.read();
    if (done) return text + decoder.decode();
    bytes += value.length;
    isTooLarge = bytes > most;
    text += decoder.decode(value, { stream: true });
  }
  await reader.cancel();
  throw new TooLargeError(`the answer has more than ${most} bytes`);
}
