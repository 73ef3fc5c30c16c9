import assert from "node:assert/strict";
import { beforeEach, it } from "node:test";
import { ToastClock } from "../../../static/components/toast-clock.js";
import { ManualClock } from "../support/manual-clock.js";

/** @type {ManualClock} */
let clock;
let ended = 0;

beforeEach(() => {
  clock = new ManualClock();
  ended = 0;
});

/** @param {number} milliseconds */
function newToastClock(milliseconds) {
  return new ToastClock(milliseconds, () => (ended += 1), clock.environment);
}

it("ends when the time of a toast is up", () => {
  const toast = newToastClock(6_000);
  toast.run();
  toast.run();
  clock.advance(5_999);
  assert.deepEqual([ended, toast.rest, toast.age], [0, 1_000, 5_999]);
  clock.advance(1);
  assert.equal(ended, 1);
});

it("pauses on hold", () => {
  const toast = newToastClock(6_000);
  toast.run();
  clock.advance(2_000);
  toast.pause();
  toast.pause();
  clock.advance(60_000);
  assert.deepEqual([ended, toast.rest], [0, 4_000]);
  toast.run();
  clock.advance(3_999);
  assert.equal(ended, 0);
  clock.advance(1);
  assert.equal(ended, 1);
});

it("shows a toast for at least a second after it was on hold", () => {
  const toast = newToastClock(6_000);
  toast.run();
  clock.advance(5_900);
  toast.pause();
  toast.run();
  clock.advance(999);
  assert.equal(ended, 0);
  clock.advance(1);
  assert.equal(ended, 1);
});

it("does not run for a toast that stays until it is closed", () => {
  const toast = newToastClock(0);
  toast.run();
  assert.deepEqual([toast.isEndless, toast.rest, clock.timers.size], [true, 0, 0]);
});

it("is stopped with its toast", () => {
  const toast = newToastClock(6_000);
  toast.run();
  toast.stop();
  clock.advance(60_000);
  assert.deepEqual([ended, clock.timers.size], [0, 0]);
});
