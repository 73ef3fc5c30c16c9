import assert from "node:assert/strict";
import { test } from "node:test";
import { CrossTab, isNewer, parseEntry } from "../../../static/components/crosstab-values.js";
import { moveOffset } from "../../../static/components/synced-field.js";

/** A fake browser: its storage, and its broadcast channels, which hold messages until the test releases them. */
class Browser {
  /** @type {any} */
  storage = Object.create(this.#methods());
  full = false;
  time = 1_000;
  /** @type {Map<string, { onmessage: any, waiting: any[] }>} */
  ways = new Map();

  /** @param {string} tab */
  open(tab, storage = true) {
    return new CrossTab({
      tab,
      now: () => this.time,
      storage: storage ? this.storage : null,
      openChannel: () => this.way(tab),
    });
  }

  #methods() {
    const browser = this;
    return {
      /** @this {any} @param {string} key */
      getItem(key) {
        return this[key] ?? null;
      },
      /** @this {any} @param {string} key */
      removeItem(key) {
        delete this[key];
      },
      /** @this {any} @param {string} key @param {string} text */
      setItem(key, text) {
        if (browser.full) throw new DOMException("full", "QuotaExceededError");
        this[key] = text;
      },
    };
  }

  /** @param {string} tab */
  way(tab) {
    /** @type {any} */
    const way = { onmessage: null, waiting: [], close: () => this.ways.delete(tab) };
    way.postMessage = (/** @type {any} */ data) => {
      for (const [name, other] of this.ways) if (name !== tab) other.waiting.push(structuredClone(data));
    };
    this.ways.set(tab, way);
    return way;
  }

  /** Let messages through, in an order between the tabs that `choose` decides. @param {(count: number) => number} choose */
  deliver(choose) {
    for (;;) {
      const ready = [...this.ways.values()].filter(({ waiting }) => waiting.length > 0);
      if (ready.length === 0) return;
      const way = ready[choose(ready.length)];
      way.onmessage({ data: way.waiting.shift() });
    }
  }
}

const first = () => 0;

test("what one tab sets, all others have, and so does a new one", () => {
  const browser = new Browser();
  const [one, other] = [browser.open("a"), browser.open("b")];
  /** @type {any[]} */
  const heard = [];
  const stop = other.subscribe("key", (value) => heard.push(value));
  one.set("key", "x");
  browser.deliver(first);
  stop();
  one.set("key", "y");
  browser.deliver(first);
  assert.deepEqual(heard, ["x"]);
  assert.equal(other.get("key"), "y");
  assert.equal(browser.open("c").get("key"), "y");
  assert.equal(one.get("other"), undefined);
});

test("tabs that set a value at the same time end up with the same one, whatever the order", () => {
  for (let seed = 1; seed <= 200; seed += 1) {
    const browser = new Browser();
    const random = chance(seed);
    const tabs = ["a", "b", "c"].map((name) => browser.open(name, random(2) === 0));
    for (let step = 0; step < 12; step += 1) {
      tabs[random(3)].set("key", step);
      if (random(3) === 0) browser.time += random(3) - 1; // a clock may stop or be set back
      if (random(4) === 0) browser.deliver(random);
    }
    browser.deliver(random);
    const values = tabs.map((tab) => tab.get("key"));
    assert.equal(new Set(values).size, 1, `seed ${seed}: ${values}`);
    const remembered = parseEntry(browser.storage.key);
    if (remembered) assert.equal(remembered.value, values[0], `seed ${seed}`);
  }
});

test("what is set later wins, though the clock was set back", () => {
  const browser = new Browser();
  const [one, other] = [browser.open("z"), browser.open("a")];
  one.set("key", 1);
  browser.deliver(first);
  browser.time -= 500;
  other.set("key", 2);
  browser.deliver(first);
  assert.equal(one.get("key"), 2);
});

test("a tab that was left catches up with what was set meanwhile", () => {
  const browser = new Browser();
  const [one, other] = [browser.open("a"), browser.open("b")];
  /** @type {any[]} */
  const heard = [];
  one.subscribe("key", (value) => heard.push(value));
  one.close();
  other.set("key", "x");
  browser.deliver(first);
  assert.deepEqual(heard, []);
  one.open();
  one.open();
  assert.deepEqual(heard, ["x"]);
});

test("without storage, channels, or space, each tab has its own values", () => {
  const alone = new CrossTab({ tab: "a", now: () => 1, storage: null, openChannel: () => null });
  alone.set("key", "x");
  assert.equal(alone.get("key"), "x");
  alone.close();

  const browser = new Browser();
  const [one, other] = [browser.open("a"), browser.open("b")];
  one.set("key", "small");
  browser.full = true;
  one.set("key", "large");
  browser.deliver(first);
  assert.equal(other.get("key"), "large");
  assert.equal(browser.open("c").get("key"), undefined); // rather than an outdated value
});

test("a tab that still shows a deleted value does not store it again", () => {
  const browser = new Browser();
  const [one, other] = [browser.open("a"), browser.open("b")];
  for (const key of ["field:x", "field:y", "switch:x"]) one.set(key, 1);
  browser.deliver(first);
  one.forget("field:");
  other.forget("field:");
  assert.deepEqual(Object.keys(browser.storage), ["switch:x"]);
  assert.equal(other.get("field:x"), undefined);
  assert.equal(other.get("switch:x"), 1);
});

test("what is no entry is ignored", () => {
  for (const text of [null, undefined, "", "{", "null", "1", "[]", "{}", '{"time": "1", "tab": "a"}', '{"time": 1}'])
    assert.equal(parseEntry(text), null);
  assert.deepEqual(parseEntry('{"time":1,"tab":"a","value":2}'), { time: 1, tab: "a", value: 2 });
  assert.equal(isNewer({ time: 1, tab: "a", value: 0 }, { time: 1, tab: "a", value: 1 }), false);
});

test("a caret stays with the letters that it is between", () => {
  const cases = /** @type {[number, string, string, number][]} */ ([
    [0, "one two", "one three", 0],
    [3, "one two", "one three", 3],
    [7, "one two", "one three", 9],
    [4, "one two", "zero one two", 9],
    [5, "one two", "one", 3],
    [2, "abc", "xyzw", 2],
    [3, "aaa", "aa", 2],
    [0, "", "new", 0],
  ]);
  for (const [place, old, text, expected] of cases)
    assert.equal(moveOffset(place, old, text), expected, `${place} in ${old} -> ${text}`);
});

/**
 * @param {number} seed
 * @returns {(count: number) => number}
 */
function chance(seed) {
  let state = seed;
  return (count) => {
    state = (state * 1103515245 + 12345) % 2147483648;
    return Math.floor((state / 2147483648) * count);
  };
}
