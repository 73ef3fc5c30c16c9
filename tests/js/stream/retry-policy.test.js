import assert from "node:assert/strict";
import { it } from "node:test";
import { FINAL_STATUSES, RETRY_BASE_MS, RETRY_CAP_MS } from "../../../static/protocol.js";
import { decide, isEventStream } from "../../../static/stream/retry-policy.js";

const STREAM = "text/event-stream";
const NOW = Date.UTC(2026, 0, 1);
const longest = () => 1;

for (const status of FINAL_STATUSES) {
  it(`${status} is final`, () => {
    assert.deepEqual(decide({ status, contentType: STREAM }), { final: true, delay: 0, binding: false, tries: 0 });
  });
}

for (const contentType of ["text/html", "text/event-streams", "application/json; a=text/event-stream", "", null]) {
  it(`200 with content type ${contentType} is final`, () => {
    assert.equal(decide({ status: 200, contentType }).final, true);
  });
}

for (const contentType of [STREAM, "text/event-stream;charset=utf-8", " Text/Event-Stream ; charset=x"]) {
  it(`${contentType} is an event stream, whose end is not final`, () => {
    assert.equal(isEventStream(contentType), true);
    assert.equal(decide({ status: 200, contentType }).final, false);
  });
}

for (const status of [0, 408, 425, 429, 500, 502, 503, 504]) {
  it(`${status} is not final, whatever its content type`, () => {
    assert.equal(decide({ status, contentType: "text/html" }).final, false);
  });
}

it("each failed try doubles the range", () => {
  let tries = 0;
  const delays = Array.from({ length: 8 }, () => {
    const decision = decide({ status: 0, tries, random: longest });
    tries = decision.tries;
    return decision.delay;
  });
  assert.deepEqual(delays, [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
});

it("a stream that was open for longer than its next delay resets the count", () => {
  const loss = { status: 200, contentType: STREAM, tries: 3, random: longest };
  assert.deepEqual(decide({ ...loss, lived: 8 * RETRY_BASE_MS }), {
    final: false,
    delay: RETRY_BASE_MS,
    binding: false,
    tries: 1,
  });
});

it("a stream that ends at once counts as a try", () => {
  const loss = { status: 200, contentType: STREAM, tries: 3, random: longest };
  assert.deepEqual(decide({ ...loss, lived: 8 * RETRY_BASE_MS - 1 }), {
    final: false,
    delay: 8 * RETRY_BASE_MS,
    binding: false,
    tries: 4,
  });
});

for (const status of [201, 205, 299]) {
  it(`status ${status} is final: it is no stream, and no failure`, () => {
    assert.equal(decide({ status, contentType: "text/event-stream" }).final, true);
  });
}

it("Retry-After in seconds is a minimum, and the jitter comes on top", () => {
  const decision = decide({ status: 503, retryAfter: "120", random: () => 0.5 });
  assert.deepEqual(decision, { final: false, delay: 120_000 + RETRY_BASE_MS / 2, binding: true, tries: 1 });
});

it("Retry-After as a date is a minimum", () => {
  const retryAfter = new Date(NOW + 7000).toUTCString();
  assert.equal(decide({ status: 429, retryAfter, now: NOW, random: () => 0 }).delay, 7000);
});

for (const retryAfter of [new Date(NOW - 7000).toUTCString(), "soon", "-5", "0", "", null]) {
  it(`Retry-After ${JSON.stringify(retryAfter)} asks for nothing`, () => {
    const { delay, binding } = decide({ status: 503, retryAfter, now: NOW, random: () => 0 });
    assert.deepEqual({ delay, binding }, { delay: 0, binding: false });
  });
}

it("no delay is below the server's retry, and the jitter comes on top", () => {
  assert.equal(decide({ status: 0, asked: 3000, random: () => 0 }).delay, 3000);
  assert.equal(decide({ status: 0, asked: 3000, random: longest }).delay, 3500);
  assert.equal(decide({ status: 0, asked: 2000, tries: 1, random: longest }).delay, 3000);
  assert.equal(decide({ status: 0, asked: 10, random: longest }).delay, 20);
  assert.equal(decide({ status: 503, asked: 3000, retryAfter: "5", random: () => 0 }).delay, 5000);
});

it("the server's retry may be longer than the cap", () => {
  assert.equal(decide({ status: 0, asked: 2 * RETRY_CAP_MS, random: () => 0 }).delay, 2 * RETRY_CAP_MS);
});

it("the cap can be lowered, but not below the server's retry", () => {
  assert.equal(decide({ status: 0, cap: 5000, tries: 9, random: longest }).delay, 5000);
  assert.equal(decide({ status: 0, cap: 5000, asked: 9000, tries: 9, random: longest }).delay, 9500);
  assert.equal(decide({ status: 0, cap: 600, asked: 500, tries: 9, random: longest }).delay, 600);
});

it("retry 0 still backs off", () => {
  assert.equal(decide({ status: 0, asked: 0, random: longest }).delay, 1);
  assert.equal(decide({ status: 0, asked: 0, tries: 2000, random: longest }).delay, RETRY_CAP_MS);
});

it("no delay is longer than setTimeout can wait", () => {
  const random = () => 0;
  for (const loss of [{ retryAfter: "9".repeat(400) }, { asked: Number.POSITIVE_INFINITY }, { asked: 1e300 }]) {
    const { delay } = decide({ status: 503, ...loss, random });
    assert.ok(delay >= 0 && delay < 2 ** 31, `${delay}`);
  }
});
