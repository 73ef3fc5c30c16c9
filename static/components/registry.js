import { dom } from "../dom.js";
import { environment } from "../environment.js";
import { FAILED_ATTRIBUTE } from "../protocol.js";
import { delay } from "../stream/backoff.js";

/**
 * @typedef {object} Component the behaviour of one element
 * @property {() => void} attach
 * @property {() => void} detach called when the element has left the page
 */

/** @typedef {new (element: HTMLElement) => Component} ComponentClass */
/** @typedef {(again: string) => Promise<ComponentClass>} Load `again` is "", or what makes another address of one that failed */
/** @typedef {{ selector: string, load: () => Promise<ComponentClass> }} Definition */

// Milliseconds until a module that has failed is tried again, at least.
const FIRST_TRY_MS = 500;

/** Attaches components to the elements that match a selector, whenever they come into the page. */
export class ComponentRegistry {
  #root;
  /** @type {Definition[]} */
  #definitions = [];
  /** @type {Map<Element, Set<Component>>} */
  #attached = new Map();
  /** The definitions that an element has a component of, or will have when it is loaded. @type {WeakMap<Element, Set<Definition>>} */
  #claimed = new WeakMap();
  #observer = new MutationObserver((records) => this.#update(records));

  /** @param {Document} root */
  constructor(root = document) {
    this.#root = root;
  }

  /**
   * Define which component the elements have that match a selector. Its class is loaded with the first of them.
   *
   * @param {string} selector
   * @param {Load} load tried again for as long as it fails; meanwhile the elements have `data-sse-failed`
   */
  define(selector, load) {
    if (this.#definitions.length === 0) this.#observer.observe(this.#root, { childList: true, subtree: true });
    /** @type {Promise<ComponentClass> | undefined} */
    let loaded;
    this.#definitions.push({ selector, load: () => (loaded ??= this.#load(selector, load)) });
    this.#attachWithin(this.#root.documentElement);
  }

  /**
   * @param {string} selector
   * @param {Load} load
   */
  async #load(selector, load) {
    for (let tries = 0; ; tries += 1) {
      try {
        const loaded = await load(tries === 0 ? "" : `?again=${tries}`);
        if (tries > 0) this.#markFailed(selector, false);
        return loaded;
      } catch (error) {
        if (tries === 0) console.warn(`sse_components: ${selector} waits for its module, which has failed`, error);
        this.#markFailed(selector, true);
        await new Promise((resolve) => environment.setTimeout(() => resolve(null), FIRST_TRY_MS + delay(tries)));
      }
    }
  }

  /**
   * @param {string} selector
   * @param {boolean} hasFailed
   */
  #markFailed(selector, hasFailed) {
    for (const element of dom(this.#root.documentElement).querySelectorAll(selector)) {
      if (hasFailed) dom(element).setAttribute(FAILED_ATTRIBUTE, "");
      else if (dom(element).hasAttribute(FAILED_ATTRIBUTE)) dom(element).removeAttribute(FAILED_ATTRIBUTE);
    }
  }

  /** @param {MutationRecord[]} records */
  #update(records) {
    for (const element of this.#attached.keys()) if (!dom(element).isConnected) this.#detach(element);
    for (const { addedNodes } of records)
      for (const node of addedNodes) if (node instanceof Element) this.#attachWithin(node);
  }

  /** @param {Element} ancestor */
  #attachWithin(ancestor) {
    if (!dom(ancestor).isConnected) return;
    for (const definition of this.#definitions) {
      const { selector } = definition;
      const elements = [ancestor, ...dom(ancestor).querySelectorAll(selector)].filter((element) =>
        dom(element).matches(selector),
      );
      for (const element of elements) this.#attach(/** @type {HTMLElement} */ (element), definition);
    }
  }

  /**
   * @param {HTMLElement} element
   * @param {Definition} definition
   */
  async #attach(element, definition) {
    const claimed = this.#claimed.get(element) ?? new Set();
    if (claimed.has(definition)) return;
    this.#claimed.set(element, claimed.add(definition));
    const ComponentOfElement = await definition.load();
    if (!dom(element).isConnected) {
      this.#claimed.delete(element);
      return;
    }
    const component = new ComponentOfElement(element);
    const components = this.#attached.get(element) ?? new Set();
    this.#attached.set(element, components.add(component));
    component.attach();
  }

  /** @param {Element} element */
  #detach(element) {
    for (const component of this.#attached.get(element) ?? []) component.detach();
    this.#attached.delete(element);
    this.#claimed.delete(element);
  }
}
