import { tabId } from "../page/tab.js";
import { CrossTab, parseEntry } from "./crosstab-values.js";

const CHANNEL = "sse_components";

/** @returns {import("./crosstab-values.js").Environment} */
function ofThisTab() {
  return { tab: tabId, now: Date.now, storage: localStorageOrNull(), open: openChannel };
}

function localStorageOrNull() {
  try {
    return localStorage;
  } catch {
    return null; // blocked by the user
  }
}

function openChannel() {
  try {
    return new BroadcastChannel(CHANNEL);
  } catch {
    return null; // blocked, or not there
  }
}

/** The one of this page. @type {CrossTab | null} */
let ours = null;

/** Return the values that this page shares with all tabs. */
export function crosstab() {
  if (ours) return ours;
  const shared = new CrossTab(ofThisTab());
  addEventListener("pagehide", () => shared.close());
  addEventListener("pageshow", () => shared.open());
  addEventListener("storage", ({ key, newValue }) => {
    const entry = parseEntry(newValue);
    if (key && entry) shared.take(key, entry);
  });
  ours = shared;
  return shared;
}
