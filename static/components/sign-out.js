import { AFTER_REQUEST_EVENTS, hasFailed, REQUESTING } from "../htmx/names.js";
import { setSession } from "./session.js";

/** Tells all tabs when a link, a button or a form signs out: when it is used or, if htmx sends it, when that has succeeded. */
export class SignOut {
  #element;
  #listeners = new AbortController();

  /** @param {HTMLElement} element */
  constructor(element) {
    this.#element = element;
  }

  attach() {
    const { signal } = this.#listeners;
    const used = this.#element instanceof HTMLFormElement ? "submit" : "click";
    const names = this.#element.matches(REQUESTING) ? AFTER_REQUEST_EVENTS : [used];
    for (const name of names) this.#element.addEventListener(name, signOut, { signal });
  }

  detach() {
    this.#listeners.abort();
  }
}

/** @param {Event} event */
function signOut(event) {
  if (!event.defaultPrevented && !hasFailed(event)) setSession("");
}
