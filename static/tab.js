import { TAB_PREFIX } from "./protocol.js";

const BYTES = 12;

/** The name of this tab, as long as it shows this page: the server can leave it out, or mean it alone. */
export const tabId = TAB_PREFIX + hex(crypto.getRandomValues(new Uint8Array(BYTES)));

/** @param {Uint8Array} bytes */
function hex(bytes) {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
