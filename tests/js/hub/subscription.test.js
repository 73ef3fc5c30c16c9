import assert from "node:assert/strict";
import { it } from "node:test";
import { Subscription } from "../../../static/hub/subscription.js";

/** @param {string} cursor */
function subscribe(cursor) {
  return new Subscription(/** @type {any} */ (null), { id: "1", grant: "g", cursor, cap: 30_000 });
}

it("asks for its grant, and for the cursor that it has reached", () => {
  const subscription = subscribe("");
  assert.equal(subscription.parameter, "g");
  assert.equal(subscription.advance("e-3"), true);
  assert.equal(subscription.parameter, "g~e-3");
});

it("advances once to each event, and starts again in another epoch", () => {
  const subscription = subscribe("e-3");
  const ids = ["e-2", "e-3", "e-4", "e-4", "f-1", "f-1"];
  assert.deepEqual(
    ids.map((id) => subscription.advance(id)),
    [false, false, true, false, true, false],
  );
  assert.equal(subscription.cursor, "f-1");
});

it("an id that is not from the log is always new, and is not a cursor", () => {
  const subscription = subscribe("e-3");
  assert.deepEqual([subscription.advance("x"), subscription.advance("x"), subscription.cursor], [true, true, "e-3"]);
});

it("follows the channels that the server has named", () => {
  const subscription = subscribe("");
  assert.equal(subscription.follows(["a"]), false);
  subscription.channels = new Set(["a", "b"]);
  assert.deepEqual([subscription.follows(["c", "b"]), subscription.follows(["c"])], [true, false]);
});
