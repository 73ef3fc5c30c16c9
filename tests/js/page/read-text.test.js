import assert from "node:assert/strict";
import { test } from "node:test";
import { readText, TooLargeError } from "../../../static/page/read-text.js";

/**
 * A response of parts that are made when they are asked for.
 *
 * @param {number} count
 * @param {HeadersInit} [headers]
 */
function endless(count, headers) {
  const state = { sent: 0, isCancelled: false };
  const body = new ReadableStream({
    pull(controller) {
      state.sent += 1;
      controller.enqueue(new TextEncoder().encode("é€"));
      if (state.sent === count) controller.close();
    },
    cancel() {
      state.isCancelled = true;
    },
  });
  return { state, response: new Response(body, { headers }) };
}

test("a body is read whole, whatever its parts", async () => {
  const bytes = new TextEncoder().encode("aé€😀");
  const body = new ReadableStream({
    start(controller) {
      for (const byte of bytes) controller.enqueue(Uint8Array.of(byte));
      controller.close();
    },
  });
  assert.equal(await readText(new Response(body), bytes.length), "aé€😀");
  assert.equal(await readText(new Response(null)), "");
});

test("a body that is too large is given up while it arrives", async () => {
  const { state, response } = endless(1000);
  await assert.rejects(readText(response, 20), TooLargeError);
  assert.equal(state.isCancelled, true);
  assert.ok(state.sent < 10);
});

test("a body that says that it is too large is not read", async () => {
  const { state, response } = endless(1000, { "Content-Length": "5000" });
  await assert.rejects(readText(response, 20), TooLargeError);
  assert.equal(state.isCancelled, true);
  assert.ok(state.sent <= 1);
});
