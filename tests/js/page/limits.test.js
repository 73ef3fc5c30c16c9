import assert from "node:assert/strict";
import { afterEach, it } from "node:test";
import { applyMaxRetries, decideWithinLimits, limits } from "../../../static/page/limits.js";

const DEFAULTS = { ...limits };

afterEach(() => {
  Object.assign(limits, DEFAULTS);
});

it("a loss becomes final after too many in a row", () => {
  limits.maxRetries = 2;
  assert.equal(applyMaxRetries({ final: false, delay: 500, tries: 2 }).final, false);
  const { final, delay } = applyMaxRetries({ final: false, delay: 500, tries: 3 });
  assert.deepEqual([final, delay], [true, 0]);
});

it("there is no limit by default", () => {
  assert.equal(applyMaxRetries({ final: false, delay: 500, tries: 1e9 }).final, false);
  assert.equal(applyMaxRetries({ final: false, delay: 500 }).final, false);
});

it("the longest back-off is the interval of the script's tag", () => {
  limits.checkInterval = 700;
  assert.equal(decideWithinLimits({ status: 503, tries: 20, random: () => 1 }).delay, 700);
});
