import assert from "node:assert/strict";
import { beforeEach, it } from "node:test";
import { setImmediate } from "node:timers/promises";
import { ComponentRegistry } from "../../../static/components/registry.js";

/** A fake element with the members that the registry uses. A selector is a name. */
class FakeElement {
  /** @type {FakeElement[]} */
  children = [];
  /** @type {FakeElement | null} */
  parent = null;

  /** @param {string[]} names */
  constructor(...names) {
    this.names = names;
  }

  /** @returns {boolean} */
  get isConnected() {
    return this === page || (this.parent?.isConnected ?? false);
  }

  /** @param {string} name */
  matches(name) {
    return this.names.includes(name);
  }

  /** @param {string} name */
  querySelectorAll(name) {
    return this.#descendants().filter((element) => element.matches(name));
  }

  /** @param {FakeElement} child */
  append(child) {
    child.remove();
    child.parent = this;
    this.children.push(child);
    records.push({ addedNodes: [child] });
  }

  remove() {
    if (!this.parent) return;
    this.parent.children = this.parent.children.filter((child) => child !== this);
    this.parent = null;
    records.push({ addedNodes: [] });
  }

  /** @returns {FakeElement[]} */
  #descendants() {
    return this.children.flatMap((child) => [child, ...child.#descendants()]);
  }
}

/** @type {FakeElement} */
let page;
/** @type {object[]} */
let records;
/** @type {(records: object[]) => void} */
let observe;
/** @type {string[]} */
let calls;
/** @type {ComponentRegistry} */
let registry;

beforeEach(() => {
  page = new FakeElement();
  records = [];
  calls = [];
  Object.assign(globalThis, {
    Element: FakeElement,
    MutationObserver: class {
      /** @param {(records: object[]) => void} callback */
      constructor(callback) {
        observe = callback;
      }
      observe() {}
    },
  });
  registry = new ComponentRegistry(/** @type {any} */ ({ documentElement: page }));
});

/** Report changes to the observer, and wait until modules are loaded. */
async function settle() {
  observe(records.splice(0));
  await setImmediate();
}

/** @param {string} name */
function load(name) {
  calls.push(`load ${name}`);
  return Promise.resolve(
    class {
      /** @param {any} element */
      constructor(element) {
        assert.ok(element instanceof FakeElement);
      }
      attach() {
        calls.push(`attach ${name}`);
      }
      detach() {
        calls.push(`detach ${name}`);
      }
    },
  );
}

it("attaches to present elements and to later ones, also if they are nested", async () => {
  page.append(new FakeElement("a"));
  registry.define("a", () => load("a"));
  await settle();
  assert.deepEqual(calls, ["load a", "attach a"]);
  const parent = new FakeElement();
  parent.append(new FakeElement("a"));
  page.append(parent);
  await settle();
  assert.deepEqual(calls.slice(2), ["attach a"]); // a class is loaded once
});

it("loads nothing that no element needs", async () => {
  registry.define("a", () => load("a"));
  page.append(new FakeElement("b"));
  await settle();
  assert.deepEqual(calls, []);
});

it("attaches once to an element, for each component that it has", async () => {
  const element = new FakeElement("a", "b");
  page.append(element);
  registry.define("a", () => load("a"));
  registry.define("b", () => load("b"));
  page.append(element);
  await settle();
  await settle();
  assert.deepEqual(calls.filter((call) => call.startsWith("attach")).sort(), ["attach a", "attach b"]);
});

it("detaches when the element has left the page, not when it has moved", async () => {
  const element = new FakeElement("a");
  page.append(element);
  registry.define("a", () => load("a"));
  await settle();
  const other = new FakeElement();
  page.append(other);
  other.append(element);
  await settle();
  assert.deepEqual(calls, ["load a", "attach a"]);
  other.remove();
  await settle();
  assert.deepEqual(calls.slice(2), ["detach a"]);
});

it("attaches a new component to an element that comes back", async () => {
  const element = new FakeElement("a");
  page.append(element);
  registry.define("a", () => load("a"));
  await settle();
  element.remove();
  await settle();
  page.append(element);
  await settle();
  assert.deepEqual(calls, ["load a", "attach a", "detach a", "attach a"]);
});

it("does not attach to an element that left while its module was loaded", async () => {
  const element = new FakeElement("a");
  page.append(element);
  registry.define("a", () => load("a"));
  element.remove();
  await settle();
  assert.deepEqual(calls, ["load a"]);
  page.append(element);
  await settle();
  assert.deepEqual(calls.slice(1), ["attach a"]);
});
