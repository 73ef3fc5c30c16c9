import { environment } from "../environment.js";
import { application, isFieldOfAnotherUser, namespace, namespaceOf } from "../namespace.js";
import { tabId } from "../page/tab.js";
import { CrossTab, parseEntry } from "./crosstab-values.js";

const CHANNEL = "sse_components";
// Whose page was loaded last: a page from the history is perhaps another user's.
const PRINCIPAL_KEY = `sse:principal:${application}`;

/** @type {Map<string, CrossTab>} */
const instances = new Map();

/**
 * Return the values that this page shares with other tabs.
 *
 * @param {string} name with whom: with the pages of this user by default, or with all of this `application`
 */
export function crosstab(name = namespace) {
  const known = instances.get(name) ?? newCrossTab(name);
  instances.set(name, known);
  return known;
}

/**
 * Tell whether a value that a browser has stored may be shown here: not on a page from the history, after somebody else has
 * signed in or out.
 *
 * @param {string} key
 */
export function mayShow(key) {
  const owner = namespaceOf(key);
  const last = openStorage()?.getItem(PRINCIPAL_KEY) ?? owner;
  return !isFromHistory() || !owner.includes(".") || last === owner;
}

/** @param {string} name */
function newCrossTab(name) {
  const { now } = environment;
  const storage = openStorage();
  const shared = new CrossTab({ tab: tabId, now, storage, openChannel: () => openChannel(name) });
  addEventListener("pagehide", () => shared.close());
  addEventListener("pageshow", () => shared.open());
  addEventListener("storage", ({ key, newValue }) => {
    const entry = parseEntry(newValue);
    if (key && entry && shared.knows(key)) shared.receive(key, entry);
  });
  if (name === namespace && storage && !isFromHistory()) takeOver(storage);
  return shared;
}

/**
 * Note whose page this is, and delete what others have typed on this computer.
 *
 * @param {Storage} storage
 */
function takeOver(storage) {
  try {
    storage.setItem(PRINCIPAL_KEY, namespace);
  } catch {
    // It is full: pages from the history are then taken for the last one's.
  }
  for (const key of Object.keys(storage)) if (isFieldOfAnotherUser(key)) storage.removeItem(key);
}

function isFromHistory() {
  const [entry] = /** @type {PerformanceNavigationTiming[]} */ (performance.getEntriesByType("navigation"));
  return entry?.type === "back_forward";
}

function openStorage() {
  try {
    return localStorage;
  } catch {
    return null; // storage is blocked
  }
}

/** @param {string} name */
function openChannel(name) {
  try {
    return new BroadcastChannel(`${CHANNEL}:${name}`);
  } catch {
    return null; // the browser blocks it, or has none
  }
}
