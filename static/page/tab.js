import { TAB_PREFIX } from "../protocol.js";

const KEY = "sse:tab";
const BYTES = 12;

/**
 * The name of this tab: the server can leave it out, or mean it alone. It stays while the tab goes from page to page. The
 * storage that it is kept in goes to copies of the tab, too: so it lies there only on the way from one page to the next.
 */
export const tabId = taken() ?? TAB_PREFIX + hex(crypto.getRandomValues(new Uint8Array(BYTES)));

addEventListener("pagehide", () => inStorage((storage) => storage.setItem(KEY, tabId)));
addEventListener("pageshow", () => inStorage((storage) => storage.removeItem(KEY)));

function taken() {
  return inStorage((storage) => {
    const kept = storage.getItem(KEY);
    storage.removeItem(KEY);
    return kept;
  });
}

/**
 * @template Result
 * @param {(storage: Storage) => Result} use
 * @returns {Result | null} null where a page may keep nothing
 */
function inStorage(use) {
  try {
    return use(sessionStorage);
  } catch {
    return null;
  }
}

/** @param {Uint8Array} bytes */
function hex(bytes) {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
