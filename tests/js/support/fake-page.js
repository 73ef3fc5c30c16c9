import { webcrypto } from "node:crypto";

/** A fake element with the members that a source uses. */
export class FakeElement extends EventTarget {
  isConnected = true;
  #attributes;

  /** @param {Record<string, string>} [attributes] */
  constructor(attributes = {}) {
    super();
    this.#attributes = new Map(Object.entries(attributes));
  }

  /** @param {string} name */
  getAttribute(name) {
    return this.#attributes.get(name) ?? null;
  }

  /** @param {string} name */
  hasAttribute(name) {
    return this.#attributes.has(name);
  }

  /**
   * @param {string} name
   * @param {string} value
   */
  setAttribute(name, value) {
    this.#attributes.set(name, value);
  }

  /** @param {string} name */
  removeAttribute(name) {
    this.#attributes.delete(name);
  }

  /** @returns {any} itself, where an element is expected */
  get asElement() {
    return this;
  }
}

class FakeCustomEvent extends Event {
  /**
   * @param {string} type
   * @param {CustomEventInit} options
   */
  constructor(type, { detail, ...options }) {
    super(type, options);
    this.detail = detail;
  }
}

// Node 18 does not have these two.
if (!globalThis.CustomEvent) Object.assign(globalThis, { CustomEvent: FakeCustomEvent });
if (!globalThis.crypto) Object.assign(globalThis, { crypto: webcrypto });

// The page's modules use these globals on import, so a test must import this module first.
Object.assign(globalThis, {
  addEventListener: () => {},
  document: { baseURI: "http://127.0.0.1/", querySelector: () => null },
  location: new URL("http://127.0.0.1/"),
});
