import assert from "node:assert/strict";
import { beforeEach, it } from "node:test";
import { LONGEST_TIMEOUT_MS, Timer } from "../../static/timer.js";
import { ManualClock } from "./support/manual-clock.js";

/** @type {ManualClock} */
let clock;
/** @type {Timer} */
let timer;
/** @type {string[]} */
let calls;

beforeEach(() => {
  clock = new ManualClock();
  timer = new Timer(clock.environment);
  calls = [];
});

it("waits for one thing at a time", () => {
  timer.start(10, () => calls.push("first"));
  timer.start(20, () => calls.push("second"));
  assert.equal(clock.timers.size, 1);
  clock.advance(20);
  assert.deepEqual([calls, timer.isPending], [["second"], false]);
});

it("may be started again by its own callback", () => {
  timer.start(10, () => timer.start(10, () => calls.push("second")));
  clock.advance(10);
  assert.equal(timer.isPending, true);
  clock.advance(10);
  assert.deepEqual(calls, ["second"]);
});

it("repeats until it is stopped, even by its own callback", () => {
  timer.repeat(10, () => calls.push("again") === 3 && timer.stop());
  clock.advance(100);
  assert.deepEqual([calls.length, clock.timers.size], [3, 0]);
});

it("does not fire at once if it is set for too long", () => {
  timer.start(Number.POSITIVE_INFINITY, () => {});
  const [{ due }] = clock.timers.values();
  assert.equal(due - clock.now(), LONGEST_TIMEOUT_MS);
});

it("works with the real clock", async () => {
  await new Promise((resolve) => new Timer().start(1, () => resolve(null)));
});
