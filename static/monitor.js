// Numbers of the server's connections, and the state of this page's own, for the page to show.

import { sources } from "./page-source.js";
import { CONNECTIONS_PATH, MONITOR_ATTRIBUTE, PREFIX, STATS_ATTRIBUTE, STATS_EVENT } from "./protocol.js";
import { scriptOptions } from "./script-options.js";

const options = scriptOptions(MONITOR_ATTRIBUTE, {
  endpoint: PREFIX + CONNECTIONS_PATH,
  updateInterval: 10_000,
});

async function update() {
  try {
    const response = await fetch(options.endpoint, { headers: { Accept: "application/json" }, cache: "no-store" });
    if (!response.ok) throw new Error(`${options.endpoint} answered ${response.status}`);
    show(await response.json());
  } catch (error) {
    tell({ error: String(error) });
  }
}

/** @param {Record<string, unknown>} stats */
function show(stats) {
  for (const element of document.querySelectorAll(`[${STATS_ATTRIBUTE}]`)) {
    element.textContent = text(stats, element.getAttribute(STATS_ATTRIBUTE) ?? "");
  }
  tell(stats);
}

/**
 * @param {Record<string, any>} stats
 * @param {string} path such as `active` or `by_type.global`; empty for a sentence
 */
function text(stats, path) {
  if (!path) return `${stats.active} of ${stats.total} connections active`;
  return String(path.split(".").reduce((part, name) => part?.[name], stats) ?? 0);
}

/** @param {Record<string, unknown>} stats */
function tell(stats) {
  const page = [...sources].map(({ state, heardAt }) => ({ state, heardAt }));
  document.dispatchEvent(new CustomEvent(STATS_EVENT, { detail: { ...stats, page } }));
}

function updateIfShown() {
  if (!document.hidden) update();
}

update();
setInterval(updateIfShown, options.updateInterval);
document.addEventListener("visibilitychange", updateIfShown);
