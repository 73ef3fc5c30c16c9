import { dom } from "../dom.js";
import { REASON_ATTRIBUTE } from "../protocol.js";
import { contentState, worstState } from "../stream/connection-state.js";
import { sources } from "./sources.js";

/** @returns {string} the worst state of what this page follows; `idle` if it follows nothing */
export function pageState() {
  return worstState(connectedSources().map(stateOf));
}

/** Return the sources of this page, except those whose element has left it. */
export function connectedSources() {
  return [...sources].filter(({ element }) => dom(element)?.isConnected !== false);
}

/** @param {import("./page-source.js").PageSource} source */
export function stateOf({ state, isStale }) {
  return contentState(state, { isStale });
}

/** @returns {string} why this page is stale; "" if it is not, or catches up */
export function staleReason() {
  const stale = connectedSources().filter(({ isStale }) => isStale);
  const source = stale.find(({ isBeyondHealing }) => isBeyondHealing) ?? stale[0];
  return dom(source?.element)?.getAttribute(REASON_ATTRIBUTE) ?? "";
}
