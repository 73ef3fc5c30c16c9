import { dom } from "./dom.js";

/**
 * Return an address without a user's name and password. Browsers refuse to `fetch` an address with them, and every address that
 * is relative to a page with them has them, too; they send them by themselves.
 *
 * @param {string | URL} address
 * @returns {string} the absolute address
 */
export function withoutPassword(address) {
  const url = new URL(address, globalThis.document ? dom(document).baseURI : globalThis.location?.href);
  url.username = url.password = "";
  return url.href;
}
