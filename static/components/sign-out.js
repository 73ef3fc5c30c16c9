import { dom } from "../dom.js";
import { REQUESTING } from "../htmx/names.js";
import { setSession } from "./session.js";

/** Tells all tabs when a link, a button or a form is used that signs out. What htmx sends is looked at when it has succeeded. */
export class SignOut {
  #element;
  #listeners = new AbortController();

  /** @param {HTMLElement} element */
  constructor(element) {
    this.#element = element;
  }

  attach() {
    if (dom(this.#element).matches(REQUESTING)) return;
    const used = this.#element instanceof HTMLFormElement ? "submit" : "click";
    dom(this.#element).addEventListener(used, signOut, { signal: this.#listeners.signal });
  }

  detach() {
    this.#listeners.abort();
  }
}

/** @param {Event} event */
function signOut(event) {
  if (!event.defaultPrevented) setSession("");
}
