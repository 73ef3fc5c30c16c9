import assert from "node:assert/strict";
import { test } from "node:test";

// The page that the module is loaded in.
Object.assign(globalThis, { document: { querySelector: () => ({ getAttribute: () => "app1.ann" }) } });
const { application, isFieldOfAnotherUser, namespace, namespaceOf } = await import("../../static/namespace.js");

test("the namespace comes from the tag that loads the kit", () => {
  assert.deepEqual([namespace, application], ["app1.ann", "app1"]);
});

test("a key has its namespace, whatever the application calls the value", () => {
  assert.equal(namespaceOf("sse:field:app1.ann:note:7"), "app1.ann");
  assert.equal(namespaceOf("note"), "");
});

test("a field of another user is one of this application, and neither nobody's nor another kind of value", () => {
  const keys = ["app1.bob:note", "app1.ann:note", "app1.:note", "app2.bob:note"].map((rest) => `sse:field:${rest}`);
  keys.push("sse:switch:app1.bob:dense", "sse:field:note", "note");
  assert.deepEqual(keys.filter(isFieldOfAnotherUser), ["sse:field:app1.bob:note"]);
});
