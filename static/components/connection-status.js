import { dom } from "../dom.js";
import { environment } from "../environment.js";
import { healNow, isBeyondHealing } from "../page/heal.js";
import { connectedSources, pageState, staleReason, stateOf } from "../page/page-state.js";
import { sources } from "../page/sources.js";
import { COUNTDOWN_ATTRIBUTE, REASON_ATTRIBUTE, STATE_ATTRIBUTE, STATE_EVENT } from "../protocol.js";
import { Timer } from "../timer.js";

const SECOND = 1_000;
// A state that lasts for less than this is not shown, in milliseconds.
const BRIEF = 250;
// States in which it may help to connect now: in these, the style sheet shows the button.
const RETRYABLE = ["reconnecting", "offline", "stale"];

/**
 * When the next attempt is due, by the element that reported it, in milliseconds since the epoch. It outlives the component.
 *
 * @type {WeakMap<EventTarget, number>}
 */
const dueAt = new WeakMap();

/**
 * Shows how the page is connected: in words that are announced when they change, with the seconds until the next attempt,
 * which are not announced, and with a button that connects now.
 */
export class ConnectionStatus {
  #element;
  #environment;
  #words;
  #countdown;
  #button;
  /** Whether everything that connects must have appeared. */
  #isSettled = false;
  #listeners = new AbortController();
  #clock;
  #briefly;

  /** @param {HTMLElement} element */
  constructor(element, env = environment) {
    this.#element = element;
    this.#environment = env;
    this.#words = find(element, "[role=status]");
    this.#countdown = find(element, "[aria-hidden]");
    this.#button = find(element, "button");
    this.#clock = new Timer(env);
    this.#briefly = new Timer(env);
  }

  attach() {
    const { signal } = this.#listeners;
    this.#button.addEventListener("click", reconnectNow, { signal });
    dom(document).addEventListener(STATE_EVENT, (event) => this.#onState(event), { signal });
    this.#clock.repeat(SECOND, () => this.#tick());
    this.#show();
  }

  detach() {
    this.#listeners.abort();
    this.#clock.stop();
    this.#briefly.stop();
  }

  /** @param {Event} event */
  #onState(event) {
    const { target, detail } = /** @type {CustomEvent<import("../stream/connection-state.js").StateChange>} */ (event);
    if (target) dueAt.set(target, this.#environment.now() + (detail.delay ?? 0));
    this.#briefly.start(BRIEF, () => this.#show());
  }

  #tick() {
    this.#isSettled ||= dom(document).readyState === "complete";
    this.#show();
  }

  #show() {
    const state = pageState();
    if (state === "idle" && !this.#isSettled) return;
    const seconds = state === "reconnecting" ? this.#secondsLeft() : 0;
    if (dom(document).activeElement === this.#button && !RETRYABLE.includes(state)) this.#element.focus();
    this.#element.setAttribute(STATE_ATTRIBUTE, state);
    this.#showReason(state);
    const words = this.#element.getAttribute(COUNTDOWN_ATTRIBUTE) ?? "";
    setText(this.#countdown, seconds > 0 ? words.replace("{}", String(seconds)) : "");
  }

  /**
   * Show the state in words, which say why the page is stale, and what the button does.
   *
   * @param {string} state
   */
  #showReason(state) {
    const reason = state === "stale" ? staleReason() : "";
    const words = this.#element.getAttribute(`data-reason-${reason}`) ?? this.#element.getAttribute(`data-${state}`);
    const action = this.#element.getAttribute(isBeyondHealing() ? "data-reload" : "data-retry");
    if (reason) this.#element.setAttribute(REASON_ATTRIBUTE, reason);
    else this.#element.removeAttribute(REASON_ATTRIBUTE);
    setText(this.#words, words ?? "");
    if (action !== null) setText(this.#button, action);
  }

  /** @returns {number} until the first attempt of the sources that reconnect */
  #secondsLeft() {
    const waiting = connectedSources().filter((source) => stateOf(source) === "reconnecting");
    const due = Math.min(...waiting.map(({ element }) => (element && dueAt.get(element)) || 0));
    return Math.ceil((due - this.#environment.now()) / SECOND);
  }
}

/**
 * @param {Element} element
 * @param {string} selector
 */
function find(element, selector) {
  return /** @type {HTMLElement} */ (element.querySelector(selector));
}

/**
 * Set a text. One that is right already is left alone, so that it is not announced again.
 *
 * @param {Element} element
 * @param {string} text
 */
function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function reconnectNow() {
  if (isBeyondHealing()) return location.reload();
  for (const source of sources) source.reconnectNow();
  healNow();
}
