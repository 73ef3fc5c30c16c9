import assert from "node:assert/strict";
import { once } from "node:events";
import { afterEach, beforeEach, describe, it } from "node:test";
import { setImmediate } from "node:timers/promises";
import { FetchEventSource } from "../../../static/stream/stream-reader.js";
import { ManualClock } from "../support/manual-clock.js";
import { ObservedSource } from "../support/observed-reader.js";
import { StreamServer } from "../support/stream-server.js";

/** @type {StreamServer} */
let server;
/** @type {ManualClock} */
let clock;
/** @type {FetchEventSource[]} */
let sources;

beforeEach(async () => {
  server = await StreamServer.start();
  clock = new ManualClock();
  sources = [];
});

afterEach(async () => {
  for (const source of sources) source.close();
  assert.equal(clock.timers.size, 0, "a closed source leaves no timer behind");
  await server.kill();
});

/** @param {ConstructorParameters<typeof FetchEventSource>[1]} [options] */
function connect(options = {}) {
  const { now, setTimeout, clearTimeout } = clock;
  const source = new ObservedSource(server.url, { now, setTimeout, clearTimeout, random: () => 1, ...options });
  sources.push(source);
  return source;
}

/** @param {ConstructorParameters<typeof FetchEventSource>[1]} [options] */
async function connected(options) {
  const source = connect(options);
  const visit = await server.stream();
  assert.equal((await source.events.next()).type, "open");
  return { source, ...visit };
}

/** @param {() => boolean} condition */
async function until(condition) {
  while (!condition()) await setImmediate();
}

// A stream that stays open would keep a failing test waiting for ever.
describe("FetchEventSource", { timeout: 30_000 }, () => {
  it("has the interface of EventSource", async () => {
    const source = connect();
    assert.ok(source instanceof EventTarget);
    assert.deepEqual([source.CONNECTING, source.OPEN, source.CLOSED], [0, 1, 2]);
    assert.deepEqual([FetchEventSource.CONNECTING, FetchEventSource.OPEN, FetchEventSource.CLOSED], [0, 1, 2]);
    assert.equal(source.url, server.url);
    assert.equal(source.withCredentials, false);
    assert.deepEqual([source.onopen, source.onmessage, source.onerror], [null, null, null]);
    assert.equal(source.readyState, source.CONNECTING);
    await server.stream();
    await source.events.next();
    assert.equal(source.readyState, source.OPEN);
    source.close();
    assert.equal(source.readyState, source.CLOSED);
  });

  it("asks for a stream, and for nothing from a cache", async () => {
    const { request } = await connected();
    assert.equal(request.headers.accept, "text/event-stream");
    assert.equal(request.headers["last-event-id"], undefined);
    assert.equal(request.headers["cache-control"], "no-cache");
  });

  it("gives events as MessageEvents, with their channel", async () => {
    const { source, response } = await connected();
    response.write("id: 7f-1\nchannel: todos\nevent: progress\ndata: one\ndata: two\n\ndata: three\n\n");
    const progress = await source.events.next();
    assert.ok(progress instanceof MessageEvent);
    const { type, data, lastEventId, channel, origin } = /** @type {any} */ (progress);
    assert.deepEqual(
      { type, data, lastEventId, channel, origin },
      { type: "progress", data: "one\ntwo", lastEventId: "7f-1", channel: "todos", origin: new URL(server.url).origin },
    );
    const message = await source.events.next();
    assert.deepEqual(
      [message.type, message.data, message.lastEventId, message.channel],
      ["message", "three", "7f-1", ""],
    );
    assert.equal(source.lastEventId, "7f-1");
  });

  it("handlers are called with the source as this", async () => {
    const source = connect();
    /** @type {string[]} */
    const called = [];
    /** @type {(this: any, event: Event) => void} */
    const handler = function ({ type }) {
      assert.equal(this, source);
      called.push(type);
    };
    Object.assign(source, { onopen: handler, onmessage: handler, onerror: handler });
    const { response } = await server.stream();
    response.end("data: x\n\n");
    await source.errors.next();
    assert.deepEqual(called, ["open", "message", "error"]);
  });

  it("CRLF and UTF-8 may be cut by the network anywhere", async () => {
    const { source, response } = await connected();
    for (const byte of Buffer.from("data: ä 🐨\r\ndata: €\r\n\r\ndata: end\r\n\r\n")) {
      const { heardAt } = source;
      clock.advance(1);
      response.write(Buffer.of(byte));
      await until(() => source.heardAt > heardAt);
    }
    assert.equal((await source.events.next()).data, "ä 🐨\n€");
    assert.equal((await source.events.next()).data, "end");
  });

  it("goes from connecting to live", async () => {
    const source = connect();
    assert.equal(source.state, "connecting");
    await server.stream();
    await source.events.next();
    assert.equal(source.state, "live");
    assert.deepEqual(source.states, ["live"]);
  });

  it("the end of the stream is not final: it says when it will try again, and does", async () => {
    const { source, response } = await connected();
    response.end();
    const { status, final, delay, error } = await source.errors.next();
    assert.deepEqual({ status, final, delay, error }, { status: 200, final: false, delay: 500, error: null });
    assert.equal(source.readyState, source.CONNECTING);
    assert.equal(source.state, "reconnecting");
    clock.advance(499);
    assert.equal(source.attempts.length, 1);
    clock.advance(1);
    await server.stream();
    await source.events.next();
    assert.deepEqual(source.states, ["live", "reconnecting", "live"]);
  });

  it("resumes from the last id, also when an event had no data, or the new stream no id", async () => {
    const { source, response } = await connected();
    response.end("id: é🐨\ndata: x\n\n");
    await source.errors.next();
    source.reconnectNow();
    const second = await server.stream();
    assert.equal(Buffer.from(`${second.request.headers["last-event-id"]}`, "latin1").toString(), "é🐨");
    second.response.end("data: y\n\n");
    await source.errors.next();
    assert.equal(source.lastEventId, "é🐨");
    source.reconnectNow();
    const third = await server.stream();
    third.response.end("id: 2\n\n");
    await source.errors.next();
    source.reconnectNow();
    assert.equal((await server.stream()).request.headers["last-event-id"], "2");
  });

  it("can start from an id", async () => {
    const { request } = await connected({ lastEventId: "7f-9" });
    assert.equal(request.headers["last-event-id"], "7f-9");
  });

  it("the server's retry is the base of the wait", async () => {
    const { source, response } = await connected();
    response.end("event: sse:shutdown\nretry: 2000\ndata: \n\n");
    assert.equal((await source.errors.next()).delay, 2000);
  });

  it("a server that hangs up at once is asked less and less often, until a stream has lasted", async () => {
    const { source, response } = await connected();
    response.end();
    const delays = [(await source.errors.next()).delay];
    for (const lived of [0, 0, 4000]) {
      clock.advance(delays[delays.length - 1]);
      const again = await server.stream();
      await source.events.next();
      clock.advance(lived);
      again.response.end();
      delays.push((await source.errors.next()).delay);
    }
    assert.deepEqual(delays, [500, 1000, 2000, 500]);
  });

  it("takes the way to another page, such as one to sign in, for a refusal", async () => {
    const source = connect();
    await server.answer(303, { Location: "/sign-in" });
    await server.answer(200, { "Content-Type": "text/html" });
    const error = await source.errors.next();
    assert.deepEqual([error.status, error.final, source.state], [401, true, "denied"]);
    assert.equal(clock.timers.size, 0);
  });

  it("hands on what a refusal says", async () => {
    const source = connect();
    const { response } = await server.visits.next();
    response
      .writeHead(403, { "Content-Type": "application/json" })
      .end('{"denied": [{"sub": 0, "reason": "expired"}]}');
    const error = await source.errors.next();
    assert.deepEqual(error.refusal, { denied: [{ sub: 0, reason: "expired" }] });
  });

  for (const [status, state] of /** @type {const} */ ([
    [204, "offline"],
    [401, "denied"],
    [403, "denied"],
    [404, "offline"],
  ])) {
    it(`${status} is final`, async () => {
      const source = connect();
      await server.answer(status);
      const error = await source.errors.next();
      assert.deepEqual([error.status, error.final, error.delay], [status, true, 0]);
      assert.equal(source.readyState, source.CLOSED);
      assert.equal(source.state, state);
      assert.equal(clock.timers.size, 0);
      source.reconnectNow();
      source.suspend();
      source.resume();
      assert.equal(source.attempts.length, 1);
    });
  }

  it("a wrong content type is final", async () => {
    const source = connect();
    await server.answer(200, { "Content-Type": "text/html" });
    const error = await source.errors.next();
    assert.deepEqual([error.status, error.final], [200, true]);
    assert.equal(source.readyState, source.CLOSED);
    assert.equal(source.state, "offline");
  });

  it("503 is not final, and nobody goes before its Retry-After", async () => {
    const source = connect();
    await server.answer(503, { "Retry-After": "2" });
    const { status, final, delay } = await source.errors.next();
    assert.deepEqual({ status, final, delay }, { status: 503, final: false, delay: 2500 });
    source.reconnectNow();
    source.suspend();
    source.resume();
    clock.advance(2499);
    assert.equal(source.attempts.length, 1);
    clock.advance(1);
    await server.stream();
    assert.equal((await source.events.next()).type, "open");
  });

  it("a Retry-After date is read by the server's clock", async () => {
    const source = connect();
    const date = new Date(clock.now() + 86_400_000);
    const retryAfter = new Date(date.getTime() + 3000);
    await server.answer(503, { Date: date.toUTCString(), "Retry-After": retryAfter.toUTCString() });
    assert.equal((await source.errors.next()).delay, 3500);
  });

  it("a server that is killed and started again on its port is found again", async () => {
    const { source, response } = await connected();
    response.write("id: 1\ndata: x\n\n");
    await source.events.next();
    const { port } = server;
    await server.kill();
    const cut = await source.errors.next();
    assert.deepEqual([cut.status, cut.final], [200, false]);
    assert.ok(cut.error instanceof Error);
    clock.advance(cut.delay);
    const refused = await source.errors.next();
    assert.deepEqual([refused.status, refused.final, refused.delay], [0, false, 1000]);
    server = await StreamServer.start(port);
    clock.advance(refused.delay);
    assert.equal((await server.stream()).request.headers["last-event-id"], "1");
    assert.equal((await source.events.next()).type, "open");
  });

  it("is offline without a network, and tries all the same", async () => {
    let online = true;
    const { source, response } = await connected({ online: () => online });
    online = false;
    response.destroy();
    await source.errors.next();
    assert.equal(source.state, "offline");
    online = true;
    source.reconnectNow();
    assert.equal(source.state, "reconnecting");
    await server.stream();
    await source.events.next();
    assert.deepEqual(source.states, ["live", "offline", "reconnecting", "live"]);
  });

  it("a stream that is silent for 2.5 heartbeats is dead, by the real clock", async () => {
    const { now } = Date;
    const { setTimeout, clearTimeout } = globalThis;
    const { source, response } = await connected({ now, setTimeout, clearTimeout });
    const gone = once(response, "close");
    response.write('event: sse:open\ndata: {"connection": "c1", "heartbeat": 0.02}\n\n');
    const { status, final, error } = await source.errors.next();
    assert.deepEqual([status, final, error.name], [0, false, "TimeoutError"]);
    await gone;
  });

  it("a heartbeat keeps a stream alive; its absence ends it", async () => {
    const { source, response } = await connected();
    response.write('event: sse:open\ndata: {"connection": "c1", "heartbeat": 1}\n\n');
    assert.equal((await source.events.next()).type, "sse:open");
    for (let beat = 0; beat < 5; beat++) {
      clock.advance(2400);
      response.write(":\n\n");
      await until(() => source.heardAt === clock.now());
    }
    clock.advance(2499);
    assert.equal(source.readyState, source.OPEN);
    clock.advance(1);
    assert.equal(source.readyState, source.CONNECTING);
    assert.equal((await source.errors.next()).error.name, "TimeoutError");
  });

  it("a server that never answers is given up as well", async () => {
    const source = connect();
    await server.visits.next();
    clock.advance(37_499);
    assert.equal(source.running, 1);
    clock.advance(1);
    assert.equal((await source.errors.next()).status, 0);
    assert.equal(source.running, 0);
  });

  it("a server without heartbeats is not watched", async () => {
    const { source, response } = await connected();
    response.write('event: sse:open\ndata: {"connection": "c1", "heartbeat": 0}\n\n');
    await source.events.next();
    assert.equal(clock.timers.size, 0);
    clock.advance(86_400_000);
    source.reconnectNow();
    assert.equal(source.readyState, source.OPEN);
  });

  it("a heartbeat of years is no busy loop", async () => {
    const { source, response } = await connected();
    response.write('event: sse:open\ndata: {"connection": "c1", "heartbeat": 1e9}\n\n');
    await source.events.next();
    const [{ due }] = clock.timers.values();
    assert.equal(due - clock.now(), 2 ** 31 - 1);
  });

  it("a clock that was put back does not make a dead stream look alive", async () => {
    const { source } = await connected();
    clock.time -= 3_600_000;
    source.reconnectNow();
    assert.equal((await source.errors.next()).error.name, "TimeoutError");
    assert.equal(source.attempts.length, 2);
  });

  it("a greeting that is no JSON ends the attempt, and says why", async () => {
    const { source, response } = await connected();
    response.write("event: sse:open\ndata: hello\n\n");
    const { error, final } = await source.errors.next();
    assert.ok(error instanceof SyntaxError);
    assert.equal(final, false);
    assert.equal(source.running, 0);
  });

  it("reconnectNow leaves alone what is open or under way, and does not wait otherwise", async () => {
    const source = connect();
    source.reconnectNow();
    const { response } = await server.stream();
    await source.events.next();
    source.reconnectNow();
    assert.equal(source.attempts.length, 1);
    response.end();
    await source.errors.next();
    source.reconnectNow();
    source.reconnectNow();
    assert.equal(source.attempts.length, 2);
    await server.stream();
    await source.events.next();
  });

  it("reconnectNow starts the count afresh", async () => {
    const source = connect();
    const delays = [];
    for (const advance of [500, 1000, 0]) {
      await server.answer(500);
      delays.push((await source.errors.next()).delay);
      if (advance) clock.advance(advance);
      else source.reconnectNow();
    }
    await server.answer(500);
    delays.push((await source.errors.next()).delay);
    assert.deepEqual(delays, [500, 1000, 2000, 500]);
  });

  it("reconnectNow replaces a stream that went silent while the machine slept", async () => {
    const { source } = await connected();
    clock.time += 600_000;
    source.reconnectNow();
    assert.deepEqual([source.attempts.length, source.running], [2, 1]);
    assert.equal((await source.errors.next()).error.name, "TimeoutError");
    await server.stream();
    assert.equal((await source.events.next()).type, "open");
    assert.equal(source.running, 1);
  });

  it("close while connecting: the request is given up, and nothing is fired", async () => {
    const source = connect();
    const { response } = await server.visits.next();
    const gone = once(response, "close");
    source.close();
    await gone;
    assert.deepEqual([source.readyState, source.running, clock.timers.size], [2, 0, 0]);
    assert.deepEqual([source.events.items, source.errors.items, source.states], [[], [], []]);
  });

  it("close before the request has even left", async () => {
    const source = connect();
    source.close();
    await connected();
    assert.deepEqual([source.events.items, source.errors.items, source.states], [[], [], []]);
  });

  it("close between two attempts: there is no other", async () => {
    const { source, response } = await connected();
    response.end();
    await source.errors.next();
    source.close();
    clock.advance(60_000);
    source.reconnectNow();
    assert.equal(source.attempts.length, 1);
  });

  it("close in a listener: the rest of the chunk is not given", async () => {
    const { source, response } = await connected();
    const closed = once(response, "close");
    source.onmessage = () => source.close();
    response.write("data: 1\n\ndata: 2\n\n");
    assert.equal((await source.events.next()).data, "1");
    await closed;
    assert.deepEqual(source.events.items, []);
  });

  it("close in the error's listener: there is no other attempt", async () => {
    const { source, response } = await connected();
    source.onerror = () => source.close();
    response.end();
    await source.errors.next();
    assert.equal(clock.timers.size, 0);
  });

  it("close in a listener to its state: nothing more is fired", async () => {
    const { source, response } = await connected();
    source.addEventListener("sse:state", () => source.close());
    response.end();
    await until(() => source.readyState === source.CLOSED);
    await connected();
    assert.deepEqual([source.errors.items, source.states], [[], ["live", "reconnecting"]]);
  });

  it("a suspended source lets go, and resumes from the last id that was given", async () => {
    const { source, response } = await connected();
    const closed = once(response, "close");
    source.onmessage = ({ data }) => data === "1" && source.suspend();
    response.write("id: 1\ndata: 1\n\nid: 2\nretry: 9000\ndata: 2\n\n");
    assert.equal((await source.events.next()).data, "1");
    await closed;
    assert.deepEqual([source.readyState, source.state, source.running, clock.timers.size], [0, "offline", 0, 0]);
    source.suspend();
    source.reconnectNow();
    assert.equal(source.attempts.length, 1);
    source.resume();
    source.resume();
    assert.equal(source.attempts.length, 2);
    const again = await server.stream();
    assert.equal(again.request.headers["last-event-id"], "1");
    again.response.end("id: 2\ndata: 2\n\n");
    assert.equal((await source.events.next()).type, "open");
    assert.equal((await source.events.next()).data, "2");
    assert.deepEqual(source.states.slice(0, 4), ["live", "offline", "reconnecting", "live"]);
    assert.equal((await source.errors.next()).delay, 500);
  });

  it("a source that is suspended for two reasons resumes when both have ended", async () => {
    const { source } = await connected();
    source.suspend();
    source.suspend("other");
    source.moveTo(server.url, "7");
    source.resume();
    source.reconnectNow();
    assert.deepEqual([source.attempts.length, source.state], [1, "offline"]);
    source.resume("other");
    assert.equal((await server.stream()).request.headers["last-event-id"], "7");
    assert.deepEqual(source.states.slice(0, 3), ["live", "offline", "reconnecting"]);
  });

  it("a refused source that moves while it is suspended connects when it resumes", async () => {
    const source = connect();
    await server.answer(404);
    assert.equal((await source.errors.next()).final, true);
    source.suspend();
    assert.equal(source.state, "offline");
    source.moveTo(server.url, "7");
    assert.equal(source.attempts.length, 1);
    source.resume();
    assert.equal((await server.stream()).request.headers["last-event-id"], "7");
  });

  it("reconnectNow gives up an attempt that has had no answer for longer than the next would be put off", async () => {
    const source = connect();
    const { response } = await server.visits.next();
    const gone = once(response, "close");
    clock.advance(500);
    source.reconnectNow();
    assert.equal(source.attempts.length, 1);
    clock.advance(1);
    source.reconnectNow();
    await gone;
    assert.deepEqual([source.attempts.length, source.running, source.errors.items], [2, 1, []]);
    await server.stream();
    assert.equal((await source.events.next()).type, "open");
  });

  it("tells with each loss how it came, though the state stays the same", async () => {
    const { source, response } = await connected();
    /** @type {any[]} */
    const told = [];
    source.addEventListener("sse:state", (event) => told.push(/** @type {CustomEvent} */ (event).detail));
    response.end();
    const { delay } = await source.errors.next();
    clock.advance(delay);
    await server.answer(503);
    await source.errors.next();
    assert.deepEqual(
      told.map(({ state, status, final, delay }) => ({ state, status, final, delay })),
      [
        { state: "reconnecting", status: 200, final: false, delay: 500 },
        { state: "reconnecting", status: 503, final: false, delay: 1000 },
      ],
    );
  });

  it("a response that arrives after its attempt was given up is ignored", async () => {
    const source = connect({
      fetch: async (url, init) => {
        const response = await fetch(url, init);
        source.suspend();
        return response;
      },
    });
    await server.stream();
    await until(() => source.running === 0);
    await connected();
    assert.deepEqual([source.readyState, source.state, source.events.items], [0, "offline", []]);
  });

  it("bytes that arrive after their attempt was given up are ignored", async () => {
    /** @type {TransformStream<Uint8Array, Uint8Array>} */
    const { readable, writable } = new TransformStream();
    const writer = writable.getWriter();
    const headers = { "Content-Type": "text/event-stream" };
    const source = connect({ fetch: async () => new Response(readable, { headers }) });
    await source.events.next();
    source.suspend();
    const { heardAt } = source;
    clock.advance(1);
    await writer.write(Buffer.from("id: 1\ndata: x\n\n"));
    await setImmediate();
    assert.deepEqual([source.heardAt, source.lastEventId, source.events.items], [heardAt, "", []]);
  });

  it("suspended while connecting and while waiting", async () => {
    const source = connect();
    source.suspend();
    assert.deepEqual([source.running, clock.timers.size], [0, 0]);
    source.resume();
    await server.answer(500);
    await source.errors.next();
    source.suspend();
    clock.advance(60_000);
    assert.equal(source.running, 0);
    source.resume();
    await server.stream();
    assert.equal((await source.events.next()).type, "open");
  });

  /** @param {number} seed */
  function* pseudoRandom(seed) {
    for (let state = seed; ; yield state / 2 ** 32) state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  }

  for (const seed of [1, 2, 3, 4, 5]) {
    it(`no interleaving doubles a connection (seed ${seed})`, async () => {
      const source = connect();
      const random = pseudoRandom(seed);
      /** @type {import("../support/stream-server.js").Visit[]} */
      const visits = [];
      const steps = [
        () => source.suspend(),
        () => source.resume(),
        () => source.reconnectNow(),
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
        assert.ok(source.running <= 1, `${source.running} attempts at step ${step}`);
        assert.ok(clock.timers.size <= 1, `${clock.timers.size} timers at step ${step}`);
      }
      const attempts = source.attempts.length;
      assert.ok(attempts > 10);
      source.close();
      clock.advance(60_000);
      assert.deepEqual([source.running, source.attempts.length], [0, attempts]);
    });
  }
});
