import { environment } from "../environment.js";
import { tabId } from "../page/tab.js";
import { CrossTab, parseEntry } from "./crosstab-values.js";

const CHANNEL = "sse_components";

/** @type {CrossTab | null} */
let instance = null;

/** Return the values that this page shares with the other tabs. */
export function crosstab() {
  instance ??= newCrossTab();
  return instance;
}

function newCrossTab() {
  const { now } = environment;
  const shared = new CrossTab({ tab: tabId, now, storage: openStorage(), openChannel });
  addEventListener("pagehide", () => shared.close());
  addEventListener("pageshow", () => shared.open());
  addEventListener("storage", ({ key, newValue }) => {
    const entry = parseEntry(newValue);
    if (key && entry) shared.receive(key, entry);
  });
  return shared;
}

function openStorage() {
  try {
    return localStorage;
  } catch {
    return null; // storage is blocked
  }
}

function openChannel() {
  try {
    return new BroadcastChannel(CHANNEL);
  } catch {
    return null; // the browser blocks it, or has none
  }
}
