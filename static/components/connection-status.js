import { healNow } from "../page/heal.js";
import { connectedSources, pageState, stateOf } from "../page/page-state.js";
import { sources } from "../page/sources.js";
import { STATE_ATTRIBUTE, STATE_EVENT } from "../protocol.js";

const SECOND = 1_000;
// A state that does not last is not told of, in milliseconds.
const BRIEF = 250;
// States in which trying at once may help: the style sheet shows the button in these.
const HOPEFUL = ["reconnecting", "offline", "stale"];

/**
 * When the next attempt is due, of each element that has told of one, in milliseconds since the epoch.
 *
 * @type {WeakMap<EventTarget, number>}
 */
const dueAt = new WeakMap();

/**
 * Show how the page is connected: in words that are announced when they change, with the seconds to the next attempt, which
 * are not, and with a button to try at once.
 *
 * @param {HTMLElement} root
 */
export function attach(root) {
  const [words, countdown, button] = ["[role=status]", "[aria-hidden]", "button"].map((part) => find(root, part));
  const stop = new AbortController();
  const { signal } = stop;
  let isSettled = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;

  function show() {
    const state = pageState();
    if (state === "idle" && !isSettled) return; // what connects is still to come
    const seconds = state === "reconnecting" ? secondsLeft() : 0;
    if (document.activeElement === button && !HOPEFUL.includes(state)) root.focus();
    root.setAttribute(STATE_ATTRIBUTE, state);
    put(words, root.getAttribute(`data-${state}`) ?? "");
    put(countdown, seconds > 0 ? (root.dataset.countdown ?? "").replace("{}", String(seconds)) : "");
  }

  function soon() {
    clearTimeout(timer);
    timer = setTimeout(show, BRIEF);
  }

  button.addEventListener("click", tryNow, { signal });
  document.addEventListener(STATE_EVENT, note, { signal });
  document.addEventListener(STATE_EVENT, soon, { signal });
  const clock = setInterval(() => {
    isSettled ||= document.readyState === "complete";
    show();
  }, SECOND);
  show();
  return () => {
    clearInterval(clock);
    clearTimeout(timer);
    stop.abort();
  };
}

/**
 * @param {Element} root
 * @param {string} part
 */
function find(root, part) {
  return /** @type {HTMLElement} */ (root.querySelector(part));
}

/**
 * Text that is still right is not touched, so that it is not announced again.
 *
 * @param {Element} element
 * @param {string} text
 */
function put(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** @param {Event} event */
function note(event) {
  const { target, detail } = /** @type {CustomEvent<import("../page/page-source.js").Loss>} */ (event);
  if (target) dueAt.set(target, Date.now() + (detail.delay ?? 0));
}

/** @returns {number} until the first attempt of those that reconnect */
function secondsLeft() {
  const waiting = connectedSources().filter((source) => stateOf(source) === "reconnecting");
  const due = Math.min(...waiting.map(({ element }) => (element && dueAt.get(element)) || 0));
  return Math.ceil((due - Date.now()) / SECOND);
}

function tryNow() {
  for (const source of sources) source.reconnectNow();
  healNow();
}
