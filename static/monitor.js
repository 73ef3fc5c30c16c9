// Shows the numbers of the server's connections in the page, and dispatches them with the states of the page's own.

import { installBridge } from "./htmx/bridge.js";
import { stateOf } from "./page/page-state.js";
import { scriptOptions } from "./page/script-options.js";
import { sources } from "./page/sources.js";
import { CONNECTIONS_PATH, MONITOR_ATTRIBUTE, PREFIX, STATE_EVENT, STATS_ATTRIBUTE, STATS_EVENT } from "./protocol.js";
import { Timer } from "./timer.js";

// A request is given up after this many intervals.
const TIMEOUT_INTERVALS = 10;

const options = scriptOptions(MONITOR_ATTRIBUTE, {
  endpoint: PREFIX + CONNECTIONS_PATH,
  updateInterval: 10_000,
});

/** @type {Promise<void> | null} the running request: there is one at a time, so that none overtakes another */
let running = null;

function update() {
  if (document.hidden) return;
  running ??= fetchAndShow().finally(() => {
    running = null;
  });
}

async function fetchAndShow() {
  try {
    const stats = await fetchStats();
    show(stats);
    dispatch(stats);
  } catch (error) {
    dispatch({ error: String(error) });
  }
}

/** @returns {Promise<Record<string, any>>} */
async function fetchStats() {
  const response = await fetch(options.endpoint, {
    headers: { Accept: "application/json" },
    cache: "no-store",
    signal: AbortSignal.timeout(TIMEOUT_INTERVALS * options.updateInterval),
  });
  if (!response.ok) throw new Error(`${options.endpoint} answered ${response.status}`);
  return response.json();
}

/**
 * Fill the elements of the page. A text that is right already is left alone, so that it is not announced again.
 *
 * @param {Record<string, any>} stats
 */
function show(stats) {
  for (const element of document.querySelectorAll(`[${STATS_ATTRIBUTE}]`)) {
    const text = textOf(stats, element.getAttribute(STATS_ATTRIBUTE) ?? "");
    if (element.textContent !== text) element.textContent = text;
  }
}

/**
 * @param {Record<string, any>} stats
 * @param {string} path such as `active` or `by_type.global`; "" for a sentence
 */
function textOf(stats, path) {
  if (!path) return `${stats.active} of ${stats.total} connections active`;
  const value = path.split(".").reduce((/** @type {any} */ part, name) => part?.[name], stats) ?? 0;
  return typeof value === "object" ? listCounts(value) : String(value);
}

/** @param {Record<string, any>} counts */
function listCounts(counts) {
  return Object.entries(counts)
    .map(([name, count]) => `${name} ${count}`)
    .join(", ");
}

/** @param {Record<string, any>} stats */
function dispatch(stats) {
  const page = [...sources].map((source) => ({ state: stateOf(source), heardAt: source.heardAt }));
  document.dispatchEvent(new CustomEvent(STATS_EVENT, { detail: { ...stats, page } }));
}

installBridge();
update();
new Timer().repeat(options.updateInterval, update);
document.addEventListener("visibilitychange", update);
document.addEventListener(STATE_EVENT, async (event) => {
  if (/** @type {CustomEvent} */ (event).detail.state !== "live") return;
  await running; // the server may not have known this connection when it answered
  update();
});
