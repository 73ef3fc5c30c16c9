import assert from "node:assert/strict";
import { test } from "node:test";
import { comparatorFor } from "../../../static/components/live-order.js";

/** @param {string} key */
function item(key, id = "") {
  return /** @type {Element} */ (/** @type {unknown} */ ({ id, getAttribute: () => key }));
}

/**
 * @param {string[]} keys
 * @param {string} [language]
 */
function sorted(keys, language = "en") {
  const items = keys.map((key) => item(key));
  return items.sort(comparatorFor(language)).map((item) => item.getAttribute("data-sse-key"));
}

test("numbers are sorted by value, and stand before text", () => {
  assert.deepEqual(sorted(["x", "10", "9", "-1.5", "1e3", ".5", "+2"]), ["-1.5", ".5", "+2", "9", "10", "1e3", "x"]);
});

test("text is sorted as a person would", () => {
  const texts = ["item 10", "B", "ä", "a", "item 9", "z", "item"];
  assert.deepEqual(sorted(texts), ["a", "ä", "B", "item", "item 9", "item 10", "z"]);
});

test("the language is the page's, if it is one", () => {
  assert.deepEqual(sorted(["z", "ä"], "sv"), ["z", "ä"]);
  assert.deepEqual(sorted(["z", "ä"], "de"), ["ä", "z"]);
  for (const none of ["", "not a language", "xx"]) assert.deepEqual(sorted(["z", "ä"], none), ["ä", "z"]);
});

test("what has the same key is sorted by id, so that every tab has the same order", () => {
  const items = [item("1", "row-10"), item("1.0", "row-9"), item("0", "row-11")];
  assert.deepEqual(
    items.sort(comparatorFor("en")).map(({ id }) => id),
    ["row-11", "row-9", "row-10"],
  );
});
