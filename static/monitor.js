// Numbers of the server's connections, and the state of this page's own, for the page to show.

import { installBridge } from "./htmx/bridge.js";
import { stateOf } from "./page/page-state.js";
import { scriptOptions } from "./page/script-options.js";
import { sources } from "./page/sources.js";
import { CONNECTIONS_PATH, MONITOR_ATTRIBUTE, PREFIX, STATE_EVENT, STATS_ATTRIBUTE, STATS_EVENT } from "./protocol.js";

// An answer that is later than this many intervals is no longer waited for.
const PATIENCE = 10;

const options = scriptOptions(MONITOR_ATTRIBUTE, {
  endpoint: PREFIX + CONNECTIONS_PATH,
  updateInterval: 10_000,
});

/** @type {Promise<void> | null} the request that is under way: there is one at a time, so that none overtakes another */
let asking = null;

function update() {
  if (document.hidden) return;
  asking ??= askAndTell().finally(() => {
    asking = null;
  });
}

async function askAndTell() {
  try {
    const stats = await ask();
    show(stats);
    tell(stats);
  } catch (error) {
    tell({ error: String(error) });
  }
}

/** @returns {Promise<Record<string, any>>} */
async function ask() {
  const response = await fetch(options.endpoint, {
    headers: { Accept: "application/json" },
    cache: "no-store",
    signal: AbortSignal.timeout(PATIENCE * options.updateInterval),
  });
  if (!response.ok) throw new Error(`${options.endpoint} answered ${response.status}`);
  return response.json();
}

/**
 * Fill the page's elements. Text that is still right is not touched, so that screen readers do not say it again.
 *
 * @param {Record<string, any>} stats
 */
function show(stats) {
  for (const element of document.querySelectorAll(`[${STATS_ATTRIBUTE}]`)) {
    const now = text(stats, element.getAttribute(STATS_ATTRIBUTE) ?? "");
    if (element.textContent !== now) element.textContent = now;
  }
}

/**
 * @param {Record<string, any>} stats
 * @param {string} path such as `active` or `by_type.global`; empty for a sentence
 */
function text(stats, path) {
  if (!path) return `${stats.active} of ${stats.total} connections active`;
  const found = path.split(".").reduce((/** @type {any} */ part, name) => part?.[name], stats) ?? 0;
  return typeof found === "object" ? parts(found) : String(found);
}

/** @param {Record<string, any>} counts */
function parts(counts) {
  const named = Object.entries(counts).map(([name, count]) => `${name} ${count}`);
  return named.join(", ");
}

/** @param {Record<string, any>} stats */
function tell(stats) {
  const page = [...sources].map((source) => ({ state: stateOf(source), heardAt: source.heardAt }));
  document.dispatchEvent(new CustomEvent(STATS_EVENT, { detail: { ...stats, page } }));
}

installBridge();
update();
setInterval(update, options.updateInterval);
document.addEventListener("visibilitychange", update);
document.addEventListener(STATE_EVENT, async (event) => {
  if (/** @type {CustomEvent} */ (event).detail.state !== "live") return;
  await asking; // it may not know this connection yet
  update();
});
