import assert from "node:assert/strict";
import { it } from "node:test";
import { RETRY_BASE_MS, RETRY_CAP_MS } from "../../../static/protocol.js";
import { delay } from "../../../static/stream/backoff.js";

const longest = () => 1;

it("the range doubles with every try, up to the cap", () => {
  const ranges = [0, 1, 2, 3, 4, 5].map((tries) => delay(tries, { base: 100, cap: 1000, random: longest }));
  assert.deepEqual(ranges, [100, 200, 400, 800, 1000, 1000]);
});

it("the jitter is full: any part of the range, none included", () => {
  assert.equal(delay(3, { base: 100, cap: 1000, random: () => 0 }), 0);
  assert.equal(delay(3, { base: 100, cap: 1000, random: () => 0.25 }), 200);
});

it("the defaults are the protocol's", () => {
  assert.equal(delay(0, { random: longest }), RETRY_BASE_MS);
  assert.equal(delay(50, { random: longest }), RETRY_CAP_MS);
  assert.ok(delay(0) < RETRY_BASE_MS);
});

it("works for any number of tries", () => {
  assert.equal(delay(100_000, { random: longest }), RETRY_CAP_MS);
});

it("a thousand clients spread over the whole range", () => {
  const tenths = new Set(Array.from({ length: 1000 }, () => Math.floor(delay(0, { base: 10 }))));
  assert.equal(tenths.size, 10);
});
