import { connectedSources, pageState } from "../page/page-state.js";
import { STATE_EVENT } from "../protocol.js";

const SECOND = 1_000;
const LOST = ["reconnecting", "offline"];

/**
 * Show the numbers of this page; those of the server come from the monitor.
 *
 * @param {HTMLElement} root
 */
export function attach(root) {
  const stop = new AbortController();
  let reconnects = 0;
  let wasLive = false;
  let isLost = false;

  /** Count losses that were made good; a page that heals changes its connection, too, and has not lost it. */
  function count() {
    const state = pageState();
    const isLive = state === "live";
    if (wasLive && LOST.includes(state)) isLost = true;
    if (isLost && isLive) reconnects += 1;
    isLost &&= !isLive;
    wasLive = isLive;
    show();
  }

  function show() {
    const state = pageState();
    put("state", root.getAttribute(`data-${state}`) ?? state);
    put("heard", heard(root.dataset.ago ?? "", root.dataset.never ?? ""));
    put("reconnects", String(reconnects));
  }

  /**
   * @param {string} name
   * @param {string} text
   */
  function put(name, text) {
    const place = root.querySelector(`[data-sse-stat="${name}"]`);
    if (place && place.textContent !== text) place.textContent = text;
  }

  document.addEventListener(STATE_EVENT, count, { signal: stop.signal });
  const clock = setInterval(show, SECOND);
  count();
  return () => {
    clearInterval(clock);
    stop.abort();
  };
}

/**
 * @param {string} ago
 * @param {string} never
 */
function heard(ago, never) {
  const at = Math.max(0, ...connectedSources().map(({ heardAt }) => heardAt));
  if (at === 0) return never;
  return ago.replace("{}", String(Math.max(0, Math.round((Date.now() - at) / SECOND))));
}
