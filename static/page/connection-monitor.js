import { dom } from "../dom.js";
import { environment } from "../environment.js";
import { STATE_EVENT, STATS_ATTRIBUTE, STATS_EVENT } from "../protocol.js";
import { Timer } from "../timer.js";
import { stateOf } from "./page-state.js";
import { sources } from "./sources.js";

// A request is given up after this many intervals.
const TIMEOUT_INTERVALS = 10;

/** Shows the numbers of the server's connections in the page, and dispatches them with the states of the page's own. */
export class ConnectionMonitor {
  #endpoint;
  #interval;
  #environment;
  /** The running request: there is one at a time, so that none overtakes another. @type {Promise<void> | null} */
  #request = null;

  /** @param {{ endpoint: string, updateInterval: number }} options the interval is in milliseconds */
  constructor({ endpoint, updateInterval }, env = environment) {
    this.#endpoint = endpoint;
    this.#interval = updateInterval;
    this.#environment = env;
  }

  start() {
    new Timer(this.#environment).repeat(this.#interval, () => this.#update());
    dom(document).addEventListener("visibilitychange", () => this.#update());
    dom(document).addEventListener(STATE_EVENT, (event) => this.#onState(event));
    this.#update();
  }

  /** @param {Event} event */
  async #onState(event) {
    if (/** @type {CustomEvent} */ (event).detail.state !== "live") return;
    await this.#request; // the server may not have known this connection when it answered
    this.#update();
  }

  #update() {
    if (dom(document).hidden) return;
    this.#request ??= this.#fetchAndShow().finally(() => {
      this.#request = null;
    });
  }

  async #fetchAndShow() {
    try {
      const stats = await this.#fetchStats();
      show(stats);
      dispatch(stats);
    } catch (error) {
      dispatch({ error: String(error) });
    }
  }

  /** @returns {Promise<Record<string, any>>} */
  async #fetchStats() {
    const { fetch } = this.#environment;
    const response = await fetch(this.#endpoint, {
      headers: { Accept: "application/json" },
      cache: "no-store",
      signal: AbortSignal.timeout(TIMEOUT_INTERVALS * this.#interval),
    });
    if (!response.ok) throw new Error(`${this.#endpoint} answered ${response.status}`);
    return response.json();
  }
}

/**
 * Fill the elements of the page. A text that is right already is left alone, so that it is not announced again.
 *
 * @param {Record<string, any>} stats
 */
function show(stats) {
  for (const element of dom(document).querySelectorAll(`[${STATS_ATTRIBUTE}]`)) {
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
  dom(document).dispatchEvent(new CustomEvent(STATS_EVENT, { detail: { ...stats, page } }));
}
