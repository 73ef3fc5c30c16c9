import { morphInto } from "../page/morph.js";
import { takeMorphs } from "./live-morphs.js";

/** Morphs a region into what the server renders. Focus, caret, scroll and what was typed stay. */
export class LiveRegion {
  #element;
  #observer = new MutationObserver(() => this.#update());

  /** @param {HTMLElement} element */
  constructor(element) {
    this.#element = element;
  }

  attach() {
    this.#observer.observe(this.#element, { childList: true });
    this.#update();
  }

  detach() {
    this.#observer.disconnect();
  }

  #update() {
    takeMorphs(this.#element, ({ childNodes }) => morphInto(this.#element, [...childNodes], "innerHTML"));
  }
}
