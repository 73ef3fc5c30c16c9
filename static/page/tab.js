import { application } from "../namespace.js";
import { TAB_PREFIX } from "../protocol.js";

const KEY = `sse:tab:${application}`;
const BYTES = 12;

/**
 * The name of this tab, by which the server can exclude it or address it alone. It stays the same while the tab goes from
 * page to page. A browser copies sessionStorage when it duplicates a tab, so the name is stored only between two pages.
 */
export const tabId = takeStored() ?? TAB_PREFIX + toHex(crypto.getRandomValues(new Uint8Array(BYTES)));

addEventListener("pagehide", () => withStorage((storage) => storage.setItem(KEY, tabId)));
addEventListener("pageshow", () => withStorage((storage) => storage.removeItem(KEY)));

function takeStored() {
  return withStorage((storage) => {
    const stored = storage.getItem(KEY);
    storage.removeItem(KEY);
    return stored;
  });
}

/**
 * @template Result
 * @param {(storage: Storage) => Result} use
 * @returns {Result | null} null where the browser blocks storage
 */
function withStorage(use) {
  try {
    return use(sessionStorage);
  } catch {
    return null;
  }
}

/** @param {Uint8Array} bytes */
function toHex(bytes) {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
