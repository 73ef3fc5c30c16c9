import assert from "node:assert/strict";
import { it } from "node:test";
import { EventStreamParser } from "../../../static/stream/parser.js";
import { golden } from "../support/golden.js";

/**
 * @param {Iterable<Uint8Array>} chunks
 * @param {string} [initialId]
 */
function parse(chunks, initialId = "") {
  const read = {
    events: /** @type {object[]} */ ([]),
    comments: /** @type {string[]} */ ([]),
    retry: /** @type {number[]} */ ([]),
    lastEventId: initialId,
  };
  const parser = new EventStreamParser(
    {
      onEvent: (event) => read.events.push(event),
      onComment: (text) => read.comments.push(text),
      onRetry: (milliseconds) => read.retry.push(milliseconds),
      onId: (id) => {
        read.lastEventId = id;
      },
    },
    initialId,
  );
  for (const chunk of chunks) parser.feed(chunk);
  return read;
}

/**
 * @param {Uint8Array} bytes
 * @param {number} size
 */
function* cut(bytes, size) {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

/** @param {string} text */
const encode = (text) => new TextEncoder().encode(text);

for (const { name, stream, chunks, ...expected } of golden("parse.json")) {
  const pieces = chunks.map((/** @type {string} */ chunk) => Buffer.from(chunk, "base64"));
  const whole = Buffer.concat(pieces);

  it(`reads ${name}`, () => {
    assert.deepEqual(parse(pieces), expected);
  });

  it(`reads ${name}, cut anywhere`, () => {
    assert.deepEqual(parse([whole]), expected);
    assert.deepEqual(parse(cut(whole, 1)), expected);
    for (let at = 1; at < Math.min(whole.length, 300); at++) {
      assert.deepEqual(parse([whole.subarray(0, at), whole.subarray(at)]), expected, `cut at ${at}`);
    }
  });

  if (stream !== undefined) {
    it(`shows as text what its chunks are: ${name}`, () => {
      assert.deepEqual(Buffer.from(stream), whole);
    });
  }
}

for (const { name, frame, events, comments, retry } of golden("wire.json")) {
  it(`reads what wire.py writes: ${name}`, () => {
    const read = parse(cut(encode(frame), 1));
    assert.deepEqual({ events: read.events, comments: read.comments, retry: read.retry }, { events, comments, retry });
  });
}

it("an event without an id has the id with which the earlier stream ended", () => {
  const read = parse([encode("data: x\n\n")], "7");
  assert.deepEqual(read.events, [{ type: "message", data: "x", lastEventId: "7", channel: "" }]);
  assert.equal(read.lastEventId, "7");
});

it("an event is dispatched as soon as its last byte has arrived", () => {
  let given = 0;
  const parser = new EventStreamParser({ onEvent: () => given++ });
  parser.feed(encode("data: x\r\r"));
  assert.equal(given, 1);
});

it("callbacks may be left out", () => {
  const parser = new EventStreamParser({});
  assert.doesNotThrow(() => parser.feed(encode(": x\nretry: 1\nid: 1\ndata: x\n\n")));
});

// If the buffer was searched from its start for every chunk, this would take hours.
it("a line of a megabyte, byte by byte, costs its length once", { timeout: 60_000 }, () => {
  const data = "x".repeat(2 ** 20);
  const read = parse(cut(encode(`data: ${data}\n\n`), 1));
  assert.deepEqual(read.events, [{ type: "message", data, lastEventId: "", channel: "" }]);
});
