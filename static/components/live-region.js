import { dom } from "../dom.js";
import { morphInto } from "../page/morph.js";
import { FETCH_ATTRIBUTE, SPREAD_ATTRIBUTE } from "../protocol.js";
import { keepGrants } from "./keep-grants.js";
import { takeMorphs } from "./live-morphs.js";
import { RegionFetch } from "./region-fetch.js";

/**
 * Morphs a region into what the server renders: for everybody, in a message, or for this page's user, at an address. Focus,
 * caret, scroll and what was typed stay.
 */
export class LiveRegion {
  #element;
  #fetch;
  #observer = new MutationObserver(() => this.#update());

  /** @param {HTMLElement} element */
  constructor(element) {
    const address = dom(element).getAttribute(FETCH_ATTRIBUTE);
    this.#element = element;
    this.#fetch = address === null ? null : new RegionFetch(address, (html) => this.#show(html));
  }

  attach() {
    this.#observer.observe(this.#element, { childList: true });
    this.#update();
  }

  detach() {
    this.#observer.disconnect();
    this.#fetch?.stop();
  }

  #update() {
    takeMorphs(this.#element, ({ childNodes }, message) => {
      if (this.#fetch) this.#fetch.update(Number(dom(message).getAttribute(SPREAD_ATTRIBUTE)));
      else morphInto(this.#element, [...childNodes], "innerHTML");
    });
  }

  /**
   * Show the content that an address has answered with: that of the region, if it is the region itself.
   *
   * @param {string} html
   */
  #show(html) {
    const { content } = Object.assign(dom(document).createElement("template"), { innerHTML: html });
    keepGrants(this.#element, content);
    const itself = dom(content).querySelector(`:scope > #${CSS.escape(dom(this.#element).getAttribute("id") ?? "")}`);
    morphInto(this.#element, [...(itself ?? content).childNodes], "innerHTML");
  }
}
