import assert from "node:assert/strict";
import { once } from "node:events";
import { afterEach, beforeEach, describe, it } from "node:test";
import { setImmediate } from "node:timers/promises";
import { CLOSED, CONNECTING, OPEN } from "../../../static/stream/connection-state.js";
import { ManualClock } from "../support/manual-clock.js";
import { ObservedReader } from "../support/observed-reader.js";
import { StreamServer } from "../support/stream-server.js";

/** @type {StreamServer} */
let server;
/** @type {ManualClock} */
let clock;
/** @type {ObservedReader[]} */
let readers;

beforeEach(async () => {
  server = await StreamServer.start();
  clock = new ManualClock();
  readers = [];
});

afterEach(async () => {
  for (const reader of readers) reader.close();
  assert.equal(clock.timers.size, 0, "a closed reader leaves no timer behind");
  await server.kill();
});

/**
 * @param {Partial<import("../support/observed-reader.js").StreamOptions>} [options]
 * @param {Partial<import("../support/observed-reader.js").Environment>} [env]
 */
function connect(options = {}, env = {}, url = server.url) {
  const { now, setTimeout, clearTimeout } = clock;
  const reader = new ObservedReader(url, options, { now, setTimeout, clearTimeout, random: () => 1, ...env });
  readers.push(reader);
  return reader;
}

/**
 * @param {Partial<import("../support/observed-reader.js").StreamOptions>} [options]
 * @param {Partial<import("../support/observed-reader.js").Environment>} [env]
 */
async function connected(options, env) {
  const reader = connect(options, env);
  const visit = await server.stream();
  assert.equal((await reader.seen.events.next()).type, "open");
  return { reader, ...visit };
}

/** @param {() => boolean} condition */
async function until(condition) {
  while (!condition()) await setImmediate();
}

// A stream that stays open would keep a failing test waiting for ever.
describe("StreamReader", { timeout: 30_000 }, () => {
  it("has the states of EventSource, too", async () => {
    const reader = connect();
    assert.deepEqual([reader.url, reader.withCredentials], [server.url, false]);
    assert.equal(reader.readyState, CONNECTING);
    await server.stream();
    await reader.seen.events.next();
    assert.deepEqual([reader.readyState, reader.origin], [OPEN, new URL(server.url).origin]);
    reader.close();
    assert.equal(reader.readyState, CLOSED);
  });

  it("does not begin before it is resumed, as on a page that is rendered in advance", async () => {
    let asked = 0;
    const fetch = (/** @type {Parameters<typeof globalThis.fetch>} */ ...request) => {
      asked += 1;
      return globalThis.fetch(...request);
    };
    const reader = connect({ suspendedBy: "prerender" }, { fetch });
    await setImmediate();
    assert.deepEqual([asked, clock.timers.size, reader.readyState, reader.states], [0, 0, CONNECTING, []]);
    reader.resume("prerender");
    await server.stream();
    assert.equal((await reader.seen.events.next()).type, "open");
    assert.equal(asked, 1);
  });

  it("asks for a stream, and for nothing from a cache", async () => {
    const { request } = await connected();
    assert.equal(request.headers.accept, "text/event-stream");
    assert.equal(request.headers["last-event-id"], undefined);
    assert.equal(request.headers["cache-control"], "no-cache");
  });

  it("passes on events as they were parsed", async () => {
    const { reader, response } = await connected();
    response.write("id: 7f-1\nchannel: todos\nevent: progress\ndata: one\ndata: two\n\ndata: three\n\n");
    const progress = { type: "progress", data: "one\ntwo", lastEventId: "7f-1", channel: "todos" };
    assert.deepEqual(await reader.seen.events.next(), progress);
    const message = { type: "message", data: "three", lastEventId: "7f-1", channel: "" };
    assert.deepEqual(await reader.seen.events.next(), message);
    assert.equal(reader.lastEventId, "7f-1");
  });

  it("reports each change of state before what caused it", async () => {
    const reader = connect();
    /** @type {string[]} */
    const calls = [];
    const { seen } = reader;
    seen.onState = ({ state }) => calls.push(state);
    seen.onEvent = ({ type }) => calls.push(type);
    seen.onLoss = ({ status }) => calls.push(String(status));
    const { response } = await server.stream();
    response.end("data: x\n\n");
    await seen.losses.next();
    assert.deepEqual(calls, ["live", "message", "reconnecting", "200"]);
  });

  it("chunks may split a CRLF or a UTF-8 sequence", async () => {
    const { reader, response } = await connected();
    for (const byte of Buffer.from("data: ä 🐨\r\ndata: €\r\n\r\ndata: end\r\n\r\n")) {
      const { heardAt } = reader;
      clock.advance(1);
      response.write(Buffer.of(byte));
      await until(() => reader.heardAt > heardAt);
    }
    assert.equal((await reader.seen.events.next()).data, "ä 🐨\n€");
    assert.equal((await reader.seen.events.next()).data, "end");
  });

  it("goes from connecting to live", async () => {
    const reader = connect();
    assert.equal(reader.state, "connecting");
    await server.stream();
    await reader.seen.events.next();
    assert.equal(reader.state, "live");
    assert.deepEqual(reader.states, ["live"]);
  });

  it("the end of the stream is not final: it reports the delay, and reconnects", async () => {
    const { reader, response } = await connected();
    response.end();
    const { status, final, delay, error } = await reader.seen.losses.next();
    assert.deepEqual({ status, final, delay, error }, { status: 200, final: false, delay: 500, error: null });
    assert.equal(reader.readyState, CONNECTING);
    assert.equal(reader.state, "reconnecting");
    clock.advance(499);
    assert.equal(reader.seen.attempts.length, 1);
    clock.advance(1);
    await server.stream();
    await reader.seen.events.next();
    assert.deepEqual(reader.states, ["live", "reconnecting", "live"]);
  });

  it("resumes from the last id, also when an event had no data, or the new stream no id", async () => {
    const { reader, response } = await connected();
    response.end("id: é🐨\ndata: x\n\n");
    await reader.seen.losses.next();
    reader.reconnectNow();
    const second = await server.stream();
    assert.equal(Buffer.from(`${second.request.headers["last-event-id"]}`, "latin1").toString(), "é🐨");
    second.response.end("data: y\n\n");
    await reader.seen.losses.next();
    assert.equal(reader.lastEventId, "é🐨");
    reader.reconnectNow();
    const third = await server.stream();
    third.response.end("id: 2\n\n");
    await reader.seen.losses.next();
    reader.reconnectNow();
    assert.equal((await server.stream()).request.headers["last-event-id"], "2");
  });

  it("can start from an id", async () => {
    const { request } = await connected({ lastEventId: "7f-9" });
    assert.equal(request.headers["last-event-id"], "7f-9");
  });

  it("comes back no earlier than the server's retry says", async () => {
    const { reader, response } = await connected();
    response.end("event: sse:shutdown\nretry: 2000\ndata: \n\n");
    assert.equal((await reader.seen.losses.next()).delay, 2500);
  });

  it("an address that is none of http is final, and said once", async () => {
    for (const address of ["ftp://example.org/x", "mailto:a@example.org", "data:text/event-stream,x"]) {
      const reader = connect({}, {}, address);
      const loss = await reader.seen.losses.next();
      assert.deepEqual([loss.final, reader.readyState, clock.timers.size], [true, 2, 0]);
      assert.match(String(loss.error), /http/);
    }
  });

  it("a server that hangs up at once gets fewer and fewer attempts, until a stream has lasted", async () => {
    const { reader, response } = await connected();
    response.end();
    const delays = [(await reader.seen.losses.next()).delay];
    for (const lived of [0, 0, 4000]) {
      clock.advance(delays[delays.length - 1]);
      const again = await server.stream();
      await reader.seen.events.next();
      clock.advance(lived);
      again.response.end();
      delays.push((await reader.seen.losses.next()).delay);
    }
    assert.deepEqual(delays, [500, 1000, 2000, 500]);
  });

  it("treats a redirect to another page, such as one to sign in, as a refusal", async () => {
    const reader = connect();
    await server.answer(303, { Location: "/sign-in" });
    await server.answer(200, { "Content-Type": "text/html" });
    const error = await reader.seen.losses.next();
    assert.deepEqual([error.status, error.final, reader.state], [401, true, "denied"]);
    assert.equal(clock.timers.size, 0);
  });

  it("passes on the body of a refusal", async () => {
    const reader = connect();
    const { response } = await server.visits.next();
    response
      .writeHead(403, { "Content-Type": "application/json" })
      .end('{"denied": [{"sub": 0, "reason": "expired"}]}');
    const error = await reader.seen.losses.next();
    assert.deepEqual(error.refusal, { denied: [{ sub: 0, reason: "expired" }] });
  });

  for (const [status, state] of /** @type {const} */ ([
    [204, "offline"],
    [401, "denied"],
    [403, "denied"],
    [404, "offline"],
  ])) {
    it(`${status} is final`, async () => {
      const reader = connect();
      await server.answer(status);
      const error = await reader.seen.losses.next();
      assert.deepEqual([error.status, error.final, error.delay], [status, true, 0]);
      assert.equal(reader.readyState, CLOSED);
      assert.equal(reader.state, state);
      assert.equal(clock.timers.size, 0);
      reader.reconnectNow();
      reader.suspend();
      reader.resume();
      assert.equal(reader.seen.attempts.length, 1);
    });
  }

  it("a wrong content type is final", async () => {
    const reader = connect();
    await server.answer(200, { "Content-Type": "text/html" });
    const error = await reader.seen.losses.next();
    assert.deepEqual([error.status, error.final], [200, true]);
    assert.equal(reader.readyState, CLOSED);
    assert.equal(reader.state, "offline");
  });

  it("503 is not final, and nothing shortens its Retry-After", async () => {
    const reader = connect();
    await server.answer(503, { "Retry-After": "2" });
    const { status, final, delay } = await reader.seen.losses.next();
    assert.deepEqual({ status, final, delay }, { status: 503, final: false, delay: 2500 });
    reader.reconnectNow();
    reader.suspend();
    reader.resume();
    clock.advance(2499);
    assert.equal(reader.seen.attempts.length, 1);
    clock.advance(1);
    await server.stream();
    assert.equal((await reader.seen.events.next()).type, "open");
  });

  it("a Retry-After date is read by the server's clock", async () => {
    const reader = connect();
    const date = new Date(clock.now() + 86_400_000);
    const retryAfter = new Date(date.getTime() + 3000);
    await server.answer(503, { Date: date.toUTCString(), "Retry-After": retryAfter.toUTCString() });
    assert.equal((await reader.seen.losses.next()).delay, 3500);
  });

  it("reconnects to a server that is killed and restarted on its port", async () => {
    const { reader, response } = await connected();
    response.write("id: 1\ndata: x\n\n");
    await reader.seen.events.next();
    const { port } = server;
    await server.kill();
    const cut = await reader.seen.losses.next();
    assert.deepEqual([cut.status, cut.final], [200, false]);
    assert.ok(cut.error instanceof Error);
    clock.advance(cut.delay);
    const refused = await reader.seen.losses.next();
    assert.deepEqual([refused.status, refused.final, refused.delay], [0, false, 1000]);
    server = await StreamServer.start(port);
    clock.advance(refused.delay);
    assert.equal((await server.stream()).request.headers["last-event-id"], "1");
    assert.equal((await reader.seen.events.next()).type, "open");
  });

  it("is offline without a network, but still tries", async () => {
    let online = true;
    const { reader, response } = await connected({}, { online: () => online });
    online = false;
    response.destroy();
    await reader.seen.losses.next();
    assert.equal(reader.state, "offline");
    online = true;
    reader.reconnectNow();
    assert.equal(reader.state, "reconnecting");
    await server.stream();
    await reader.seen.events.next();
    assert.deepEqual(reader.states, ["live", "offline", "reconnecting", "live"]);
  });

  it("a stream that is silent for 2.5 heartbeats is dead, by the real clock", async () => {
    const { now } = Date;
    const { setTimeout, clearTimeout } = globalThis;
    const { reader, response } = await connected({}, { now, setTimeout, clearTimeout });
    const gone = once(response, "close");
    response.write('event: sse:open\ndata: {"connection": "c1", "heartbeat": 0.02}\n\n');
    const { status, final, error } = await reader.seen.losses.next();
    assert.deepEqual([status, final, error.name], [0, false, "TimeoutError"]);
    await gone;
  });

  it("a heartbeat keeps a stream alive; its absence ends it", async () => {
    const { reader, response } = await connected();
    response.write('event: sse:open\ndata: {"connection": "c1", "heartbeat": 1}\n\n');
    assert.equal((await reader.seen.events.next()).type, "sse:open");
    for (let beat = 0; beat < 5; beat++) {
      clock.advance(2400);
      response.write(":\n\n");
      await until(() => reader.heardAt === clock.now());
    }
    clock.advance(2499);
    assert.equal(reader.readyState, OPEN);
    clock.advance(1);
    assert.equal(reader.readyState, CONNECTING);
    assert.equal((await reader.seen.losses.next()).error.name, "TimeoutError");
  });

  it("six attempts without a response are given up sooner than further ones", async () => {
    const reader = connect();
    for (const patience of [...Array(6).fill(10_000), 37_500, 37_500]) {
      await server.visits.next();
      clock.advance(patience - 1);
      assert.equal(reader.running, 1);
      clock.advance(1);
      const { status, delay } = await reader.seen.losses.next();
      assert.deepEqual([status, reader.running], [0, 0]);
      clock.advance(delay);
    }
  });

  it("a stream that has answered may be silent for longer than an attempt", async () => {
    const { reader } = await connected();
    clock.advance(37_499);
    assert.equal(reader.readyState, OPEN);
    clock.advance(1);
    assert.equal((await reader.seen.losses.next()).error.name, "TimeoutError");
  });

  it("a server without heartbeats is not watched", async () => {
    const { reader, response } = await connected();
    response.write('event: sse:open\ndata: {"connection": "c1", "heartbeat": 0}\n\n');
    await reader.seen.events.next();
    assert.equal(clock.timers.size, 0);
    clock.advance(86_400_000);
    reader.reconnectNow();
    assert.equal(reader.readyState, OPEN);
  });

  it("a stream may be silent until its server sends its heartbeat interval, in a header or in a comment", async () => {
    const { reader, response } = await connected({ heartbeat: 0 });
    response.write(": Connected\n\n: heartbeat 2026-01-01T00:00:00\n\ndata: 1\n\n");
    await reader.seen.events.next();
    clock.advance(86_400_000);
    assert.equal(reader.readyState, OPEN);
    response.write(": heartbeat 1.5\n\ndata: 2\n\n");
    await reader.seen.events.next();
    clock.advance(3_749);
    assert.equal(reader.readyState, OPEN);
    clock.advance(1);
    assert.equal((await reader.seen.losses.next()).error.name, "TimeoutError");
  });

  it("a header sets the heartbeat of a stream", async () => {
    const reader = connect({ heartbeat: 0 });
    const { response } = await server.visits.next();
    response.writeHead(200, { "Content-Type": "text/event-stream", "SSE-Heartbeat": "60" }).flushHeaders();
    await reader.seen.events.next();
    clock.advance(149_999);
    assert.equal(reader.readyState, OPEN);
    clock.advance(1);
    assert.equal(reader.readyState, CONNECTING);
  });

  it("a server without a heartbeat gets no second request while it prepares its response", async () => {
    const reader = connect({ heartbeat: 0 });
    await server.visits.next();
    clock.advance(60_000);
    reader.reconnectNow();
    assert.equal(reader.seen.attempts.length, 1);
    assert.equal(reader.running, 1);
  });

  it("a heartbeat of years does not cause a busy loop", async () => {
    const { reader, response } = await connected();
    response.write('event: sse:open\ndata: {"connection": "c1", "heartbeat": 1e9}\n\n');
    await reader.seen.events.next();
    const [{ due }] = clock.timers.values();
    assert.equal(due - clock.now(), 2 ** 31 - 1);
  });

  it("a clock that was put back does not make a dead stream look alive", async () => {
    const { reader } = await connected();
    clock.time -= 3_600_000;
    reader.reconnectNow();
    assert.equal((await reader.seen.losses.next()).error.name, "TimeoutError");
    assert.equal(reader.seen.attempts.length, 2);
  });

  it("an opening event that is not JSON ends the attempt with an error", async () => {
    const { reader, response } = await connected();
    response.write("event: sse:open\ndata: hello\n\n");
    const { error, final } = await reader.seen.losses.next();
    assert.ok(error instanceof SyntaxError);
    assert.equal(final, false);
    assert.equal(reader.running, 0);
  });

  it("reconnectNow leaves an open stream or a running attempt alone, and ends a delay", async () => {
    const reader = connect();
    reader.reconnectNow();
    const { response } = await server.stream();
    await reader.seen.events.next();
    reader.reconnectNow();
    assert.equal(reader.seen.attempts.length, 1);
    response.end();
    await reader.seen.losses.next();
    reader.reconnectNow();
    reader.reconnectNow();
    assert.equal(reader.seen.attempts.length, 2);
    await server.stream();
    await reader.seen.events.next();
  });

  it("reconnectNow resets the count", async () => {
    const reader = connect();
    const delays = [];
    for (const advance of [500, 1000, 0]) {
      await server.answer(500);
      delays.push((await reader.seen.losses.next()).delay);
      if (advance) clock.advance(advance);
      else reader.reconnectNow();
    }
    await server.answer(500);
    delays.push((await reader.seen.losses.next()).delay);
    assert.deepEqual(delays, [500, 1000, 2000, 500]);
  });

  it("reconnectNow replaces a stream that went silent while the machine slept", async () => {
    const { reader } = await connected();
    clock.time += 600_000;
    reader.reconnectNow();
    assert.deepEqual([reader.seen.attempts.length, reader.running], [2, 1]);
    assert.equal((await reader.seen.losses.next()).error.name, "TimeoutError");
    await server.stream();
    assert.equal((await reader.seen.events.next()).type, "open");
    assert.equal(reader.running, 1);
  });

  it("close while connecting: the request is given up, and nothing is fired", async () => {
    const reader = connect();
    const { response } = await server.visits.next();
    const gone = once(response, "close");
    reader.close();
    await gone;
    assert.deepEqual([reader.readyState, reader.running, clock.timers.size], [2, 0, 0]);
    assert.deepEqual([reader.seen.events.items, reader.seen.losses.items, reader.states], [[], [], []]);
  });

  it("close before the request has even left", async () => {
    const reader = connect();
    reader.close();
    await connected();
    assert.deepEqual([reader.seen.events.items, reader.seen.losses.items, reader.states], [[], [], []]);
  });

  it("close between two attempts: there is no other", async () => {
    const { reader, response } = await connected();
    response.end();
    await reader.seen.losses.next();
    reader.close();
    clock.advance(60_000);
    reader.reconnectNow();
    assert.equal(reader.seen.attempts.length, 1);
  });

  it("close in a listener: the rest of the chunk is not dispatched", async () => {
    const { reader, response } = await connected();
    const closed = once(response, "close");
    reader.seen.onEvent = () => reader.close();
    response.write("data: 1\n\ndata: 2\n\n");
    assert.equal((await reader.seen.events.next()).data, "1");
    await closed;
    assert.deepEqual(reader.seen.events.items, []);
  });

  it("close in the error's listener: there is no other attempt", async () => {
    const { reader, response } = await connected();
    reader.seen.onLoss = () => reader.close();
    response.end();
    await reader.seen.losses.next();
    assert.equal(clock.timers.size, 0);
  });

  it("close in a listener to its state: nothing more is fired", async () => {
    const { reader, response } = await connected();
    reader.seen.onState = () => reader.close();
    response.end();
    await until(() => reader.readyState === CLOSED);
    await connected();
    assert.deepEqual([reader.seen.losses.items, reader.states], [[], ["live", "reconnecting"]]);
  });

  it("a suspended reader disconnects, and resumes from the last dispatched id", async () => {
    const { reader, response } = await connected();
    const closed = once(response, "close");
    reader.seen.onEvent = ({ data }) => data === "1" && reader.suspend();
    response.write("id: 1\ndata: 1\n\nid: 2\nretry: 9000\ndata: 2\n\n");
    assert.equal((await reader.seen.events.next()).data, "1");
    await closed;
    assert.deepEqual([reader.readyState, reader.state, reader.running, clock.timers.size], [0, "offline", 0, 0]);
    reader.suspend();
    reader.reconnectNow();
    assert.equal(reader.seen.attempts.length, 1);
    reader.resume();
    reader.resume();
    assert.equal(reader.seen.attempts.length, 2);
    const again = await server.stream();
    assert.equal(again.request.headers["last-event-id"], "1");
    again.response.end("id: 2\ndata: 2\n\n");
    assert.equal((await reader.seen.events.next()).type, "open");
    assert.equal((await reader.seen.events.next()).data, "2");
    assert.deepEqual(reader.states.slice(0, 4), ["live", "offline", "reconnecting", "live"]);
    assert.equal((await reader.seen.losses.next()).delay, 500);
  });

  it("a reader that is suspended for two reasons resumes when both have ended", async () => {
    const { reader } = await connected();
    reader.suspend();
    reader.suspend("other");
    reader.moveTo(server.url, "7");
    reader.resume();
    reader.reconnectNow();
    assert.deepEqual([reader.seen.attempts.length, reader.state], [1, "offline"]);
    reader.resume("other");
    assert.equal((await server.stream()).request.headers["last-event-id"], "7");
    assert.deepEqual(reader.states.slice(0, 3), ["live", "offline", "reconnecting"]);
  });

  it("a refused reader that moves while it is suspended connects when it resumes", async () => {
    const reader = connect();
    await server.answer(404);
    assert.equal((await reader.seen.losses.next()).final, true);
    reader.suspend();
    assert.equal(reader.state, "offline");
    reader.moveTo(server.url, "7");
    assert.equal(reader.seen.attempts.length, 1);
    reader.resume();
    assert.equal((await server.stream()).request.headers["last-event-id"], "7");
  });

  it("moves while it is open: the old stream is dropped, and the new one begins after the id", async () => {
    const { reader, response } = await connected();
    const closed = once(response, "close");
    reader.moveTo(`${server.url}?sub=x`, "9");
    await closed;
    const { request } = await server.stream();
    assert.deepEqual([request.url, request.headers["last-event-id"]], ["/sse/stream?sub=x", "9"]);
    assert.deepEqual([(await reader.seen.events.next()).type, reader.url], ["open", `${server.url}?sub=x`]);
    assert.deepEqual(reader.states, ["live", "reconnecting", "live"]);
  });

  it("moves while it waits: the wait is over", async () => {
    const { reader, response } = await connected();
    response.end();
    await reader.seen.losses.next();
    reader.moveTo(server.url, "9");
    assert.equal((await server.stream()).request.headers["last-event-id"], "9");
  });

  it("does not move after it was closed", async () => {
    const { reader } = await connected();
    reader.close();
    reader.moveTo(server.url, "9");
    assert.deepEqual([reader.running, reader.readyState, clock.timers.size], [0, CLOSED, 0]);
  });

  it("reconnectNow gives up an attempt that has had no answer for longer than the next would be put off", async () => {
    const reader = connect();
    const { response } = await server.visits.next();
    const gone = once(response, "close");
    clock.advance(500);
    reader.reconnectNow();
    assert.equal(reader.seen.attempts.length, 1);
    clock.advance(1);
    reader.reconnectNow();
    await gone;
    assert.deepEqual([reader.seen.attempts.length, reader.running, reader.seen.losses.items], [2, 1, []]);
    await server.stream();
    assert.equal((await reader.seen.events.next()).type, "open");
  });

  it("reports each loss, even if the state stays the same", async () => {
    const { reader, response } = await connected();
    reader.seen.changes.length = 0;
    response.end();
    const { delay } = await reader.seen.losses.next();
    clock.advance(delay);
    await server.answer(503);
    await reader.seen.losses.next();
    assert.deepEqual(
      reader.seen.changes.map(({ state, status, final, delay }) => ({ state, status, final, delay })),
      [
        { state: "reconnecting", status: 200, final: false, delay: 500 },
        { state: "reconnecting", status: 503, final: false, delay: 1000 },
      ],
    );
  });

  it("a response that arrives after its attempt was given up is ignored", async () => {
    const reader = connect(
      {},
      {
        fetch: async (url, init) => {
          const response = await fetch(url, init);
          reader.suspend();
          return response;
        },
      },
    );
    await server.stream();
    await until(() => reader.running === 0);
    await connected();
    assert.deepEqual([reader.readyState, reader.state, reader.seen.events.items], [0, "offline", []]);
  });

  it("bytes that arrive after their attempt was given up are ignored", async () => {
    /** @type {TransformStream<Uint8Array, Uint8Array>} */
    const { readable, writable } = new TransformStream();
    const writer = writable.getWriter();
    const headers = { "Content-Type": "text/event-stream" };
    const reader = connect({}, { fetch: async () => new Response(readable, { headers }) });
    await reader.seen.events.next();
    reader.suspend();
    const { heardAt } = reader;
    clock.advance(1);
    await writer.write(Buffer.from("id: 1\ndata: x\n\n"));
    await setImmediate();
    assert.deepEqual([reader.heardAt, reader.lastEventId, reader.seen.events.items], [heardAt, "", []]);
  });

  it("suspended while connecting and while waiting", async () => {
    const reader = connect();
    reader.suspend();
    assert.deepEqual([reader.running, clock.timers.size], [0, 0]);
    reader.resume();
    await server.answer(500);
    await reader.seen.losses.next();
    reader.suspend();
    clock.advance(60_000);
    assert.equal(reader.running, 0);
    reader.resume();
    await server.stream();
    assert.equal((await reader.seen.events.next()).type, "open");
  });

  /** @param {number} seed */
  function* pseudoRandom(seed) {
    for (let state = seed; ; yield state / 2 ** 32) state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  }

  for (const seed of [1, 2, 3, 4, 5]) {
    it(`no interleaving doubles a connection (seed ${seed})`, async () => {
      const reader = connect();
      const random = pseudoRandom(seed);
      /** @type {import("../support/stream-server.js").Visit[]} */
      const visits = [];
      const steps = [
        () => reader.suspend(),
        () => reader.resume(),
        () => reader.reconnectNow(),
        () => clock.advance(10_000 * Number(random.next().value)),
        () => visits.pop()?.response.end(),
        () => visits.pop()?.response.destroy(),
        async () => server.visits.items.length && visits.push(await server.stream()),
        async () => server.visits.items.length && (await server.answer(503, { "Retry-After": "1" })),
        () => setImmediate(),
        () => setImmediate(),
      ];
      for (let step = 0; step < 400; step++) {
        await steps[Math.floor(steps.length * Number(random.next().value))]();
        assert.ok(reader.running <= 1, `${reader.running} attempts at step ${step}`);
        assert.ok(clock.timers.size <= 1, `${clock.timers.size} timers at step ${step}`);
      }
      const attempts = reader.seen.attempts.length;
      assert.ok(attempts > 10);
      reader.close();
      clock.advance(60_000);
      assert.deepEqual([reader.running, reader.seen.attempts.length], [0, attempts]);
    });
  }
});
