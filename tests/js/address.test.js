import assert from "node:assert/strict";
import { test } from "node:test";
import { withoutPassword } from "../../static/address.js";

test("an address loses its password, and nothing else", () => {
  assert.equal(withoutPassword("http://ann:secret@host:8000/a?b=c#d"), "http://host:8000/a?b=c#d");
  assert.equal(withoutPassword(new URL("https://ann@host/")), "https://host/");
});
