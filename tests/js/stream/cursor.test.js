import assert from "node:assert/strict";
import { it } from "node:test";
import { isCoveredBy, parseCursor } from "../../../static/stream/cursor.js";

it("an id is an epoch and a sequence", () => {
  assert.deepEqual(parseCursor("7f3a1c-1042"), { epoch: "7f3a1c", sequence: 1042 });
  assert.deepEqual(parseCursor("a-b-7"), { epoch: "a-b", sequence: 7 });
  for (const text of ["", "7", "-7", "a-", "a-x", "a-7x"]) assert.equal(parseCursor(text), null);
});

it("a position is covered by itself and by later ones of its epoch", () => {
  const reached = parseCursor("e-5");
  assert.deepEqual(
    ["e-4", "e-5", "e-6", "f-4", ""].map((id) => isCoveredBy(parseCursor(id), reached)),
    [true, true, false, false, false],
  );
  assert.equal(isCoveredBy(parseCursor("e-5"), null), false);
});
