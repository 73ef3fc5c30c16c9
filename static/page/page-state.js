import { sources } from "./sources.js";

// From the best to the worst.
const RANKS = ["live", "connecting", "stale", "reconnecting", "offline", "denied"];

/** @returns {string} the worst state of all that this page follows; `idle` if it follows nothing */
export function pageState() {
  const ranks = shown().map((source) => RANKS.indexOf(stateOf(source)));
  return ranks.length > 0 ? RANKS[Math.max(...ranks)] : "idle";
}

/** Return the sources of this page, but for those whose element is gone. */
export function shown() {
  return [...sources].filter(({ element }) => element?.isConnected !== false);
}

/** @param {import("./page-source.js").PageSource} source */
export function stateOf({ state, stale }) {
  return stale ? "stale" : state;
}
