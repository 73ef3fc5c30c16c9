import { dom } from "./dom.js";

/** Tell whether this page's address, or its `<base>`, has a user's name or password. */
export function hasPassword() {
  const { username, password } = new URL(dom(document).baseURI);
  return username + password !== "";
}

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
