import assert from "node:assert/strict";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { afterEach, beforeEach, describe, it } from "node:test";
import { setImmediate } from "node:timers/promises";
import { environment } from "../../../static/environment.js";
import { Hub } from "../../../static/hub/hub.js";
import { PresenceReport } from "../../../static/hub/presence-report.js";
import { ManualClock } from "../support/manual-clock.js";
import { Queue } from "../support/queue.js";
import { StreamServer } from "../support/stream-server.js";

/** @typedef {import("../support/stream-server.js").Visit & { subs: string[] }} Stream */

/** @type {StreamServer} */
let server;
/** @type {Hub} */
let hub;
/** @type {Tab[]} */
let tabs;

beforeEach(async () => {
  server = await StreamServer.start();
  hub = new Hub(server.url, { isInWorker: true, env: { ...environment, random: () => 0 } });
  tabs = [];
});

afterEach(async () => {
  for (const tab of tabs) tab.leave();
  await server.kill();
});

/** A tab, with a queue of the messages that it receives. */
class Tab {
  /** @type {Queue<{ id: string, type: string, payload: any }>} */
  delivered = new Queue();
  /** @type {Queue<any>} */
  answers = new Queue();
  /** @type {import("../../../static/hub/tab-port.js").Serving[]} */
  servings = [];
  messages = 0;
  #port;

  constructor() {
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    port1.onmessage = ({ data }) => this.#receive(data);
    hub.addTab(port2);
    tabs.push(this);
  }

  /**
   * @param {string} id
   * @param {string} grant
   * @param {string} [cursor]
   */
  follow(id, grant, cursor = "") {
    this.send({ type: "subscribe", subscription: { id, grant, cursor, cap: 30_000 } });
  }

  /** @param {object} message */
  send(message) {
    this.#port.postMessage(message);
  }

  /** Wait until the hub has closed its port. */
  closed() {
    return once(this.#port, "close");
  }

  leave() {
    this.send({ type: "bye" });
    this.#port.close();
  }

  /** The next message for a subscription: its `id type`, and its content. */
  async next() {
    const { id, type, payload } = await this.delivered.next();
    if (type === "event") return `${id} ${payload.type}: ${payload.data}`;
    return `${id} ${payload.state ?? payload.reason ?? payload.grant}`;
  }

  /** @param {any} data */
  #receive(data) {
    if (data.type === "serving") return this.servings.push(data.serving);
    if (data.type !== "deliveries") return this.answers.push(data);
    this.messages += 1;
    for (const { ids, type, payload } of data.deliveries)
      for (const id of ids) this.delivered.push({ id, type, payload });
  }
}

/** The next request for a stream, with what it asks for. @returns {Promise<Stream>} */
async function asked() {
  const visit = await server.stream();
  return { ...visit, subs: new URLSearchParams(await text(visit.request)).getAll("sub") };
}

/**
 * Answer as the server does: in these tests a grant begins with the names of its channels.
 *
 * @param {Stream} stream
 * @param {number} [expires]
 */
function greet({ response, subs }, expires = 3600) {
  const grants = subs.map((sub) => ({ channels: sub.split(/[.~]/)[0].split("+"), expires }));
  write(response, `event: sse:open\ndata: ${JSON.stringify({ connection: "c", heartbeat: 15, subs: grants })}`);
}

/**
 * A grant as the server signs it.
 *
 * @param {string} channel
 * @param {number} sequence of its cursor
 */
function grant(channel, sequence, { owner = "owner", order = 0 } = {}) {
  return `${channel}.e-${sequence}.${order}.19.serial.${owner}.signature`;
}

/** @param {number} [expires] */
async function open(expires) {
  const stream = await asked();
  greet(stream, expires);
  return stream;
}

/**
 * @param {import("node:http").ServerResponse} response
 * @param {string} frame
 */
function write(response, frame) {
  response.write(`${frame}\n\n`);
}

/**
 * @param {Stream} stream
 * @param {string} channel
 * @param {number} sequence
 */
function publish({ response }, channel, sequence, more = "") {
  write(response, `id: e-${sequence}\nchannel: ${channel}\n${more}data: ${sequence}`);
}

describe("Hub", { timeout: 30_000 }, () => {
  it("merges all subscriptions into one request, with the grants in its body", async () => {
    const [one, two] = [new Tab(), new Tab()];
    one.follow("1", "a", "e-7");
    one.follow("2", "b");
    two.follow("1", "a+c", "e-9");
    const { request, subs } = await open();
    assert.equal(request.method, "POST");
    assert.equal(request.url, "/sse/stream");
    assert.deepEqual(subs.sort(), ["a+c~e-9", "a~e-7", "b"]);
    assert.deepEqual([await one.next(), await one.next(), await two.next()], ["1 live", "2 live", "1 live"]);
  });

  it("delivers to each subscription what its grant names, from its cursor on, and broadcasts to all", async () => {
    const tab = new Tab();
    tab.follow("1", "a", "e-7");
    tab.follow("2", "a+b", "e-5");
    const stream = await open();
    assert.deepEqual([await tab.next(), await tab.next()], ["1 live", "2 live"]);
    publish(stream, "a", 6);
    publish(stream, "a", 8);
    publish(stream, "b", 9);
    publish(stream, "sse:broadcast", 10);
    write(stream.response, "data: for the whole connection");
    const expected = ["2 message: 6", "1 message: 8", "2 message: 8", "2 message: 9", "1 message: 10", "2 message: 10"];
    for (const line of expected) assert.equal(await tab.next(), line);
    assert.equal(await tab.next(), "1 message: for the whole connection");
    assert.equal(await tab.next(), "2 message: for the whole connection");
  });

  it("opens the wider connection before it closes the old one, and nothing comes twice or out of order", async () => {
    const tab = new Tab();
    tab.follow("1", "a", "e-0");
    const first = await open();
    assert.equal(await tab.next(), "1 live");
    publish(first, "a", 1);
    assert.equal(await tab.next(), "1 message: 1");
    tab.follow("2", "b", "e-0");
    const second = await asked();
    assert.deepEqual(second.subs.sort(), ["a~e-1", "b~e-0"]);
    publish(first, "a", 3);
    assert.equal(await tab.next(), "1 message: 3");
    const closed = once(first.response, "close");
    greet(second);
    assert.equal(await tab.next(), "2 live");
    await closed;
    publish(second, "b", 2);
    publish(second, "a", 3);
    publish(second, "b", 4);
    assert.deepEqual([await tab.next(), await tab.next()], ["2 message: 2", "2 message: 4"]);
  });

  it("narrows when nobody follows a channel any more, and closes with the last tab", async () => {
    const [one, two] = [new Tab(), new Tab()];
    one.follow("1", "a");
    two.follow("1", "b");
    const first = await open();
    two.leave();
    const second = await open();
    assert.deepEqual(second.subs, ["a"]);
    await once(first.response, "close");
    one.leave();
    await once(second.response, "close");
  });

  it("keeps its connection when a tab leaves whose channels other tabs follow", async () => {
    const [one, two] = [new Tab(), new Tab()];
    one.follow("1", "a+b");
    two.follow("1", "b");
    const stream = await open();
    two.leave();
    assert.equal(await one.next(), "1 live");
    publish(stream, "b", 1);
    assert.equal(await one.next(), "1 message: 1");
    one.send({ type: "ping" });
    assert.equal((await one.answers.next()).type, "hello");
    assert.deepEqual((await one.answers.next()).cursors, { 1: "e-1" });
    assert.equal(server.visits.items.length, 0);
  });

  it("resumes each subscription from its cursor after a loss, and reports the state", async () => {
    const tab = new Tab();
    tab.follow("1", "a", "e-1");
    tab.follow("2", "b", "e-1");
    const first = await open();
    publish(first, "b", 5);
    assert.deepEqual([await tab.next(), await tab.next(), await tab.next()], ["1 live", "2 live", "2 message: 5"]);
    first.response.destroy();
    assert.deepEqual([await tab.next(), await tab.next()], ["1 reconnecting", "2 reconnecting"]);
    const second = await asked();
    assert.deepEqual(second.subs, ["a~e-5", "b~e-5"]);
  });

  it("does not let a refused grant affect the others", async () => {
    const tab = new Tab();
    tab.follow("1", "forged");
    tab.follow("2", "b");
    const { response } = await asked();
    const subs = [null, { channels: ["b"], expires: 60 }];
    write(response, `event: sse:open\ndata: ${JSON.stringify({ connection: "c", heartbeat: 15, subs })}`);
    write(response, 'event: sse:denied\ndata: {"denied": [{"sub": 0, "reason": "forged"}]}');
    assert.deepEqual([await tab.next(), await tab.next()], ["2 live", "1 forged"]);
    write(response, "id: e-1\nchannel: b\ndata: x");
    assert.equal(await tab.next(), "2 message: x");
  });

  it("sends one grant of those that permit the same, of the subscription that is furthest behind", async () => {
    const [one, two] = [new Tab(), new Tab()];
    const [other, newer] = [grant("a", 2, { owner: "other" }), grant("a", 2, { order: 1 })];
    one.follow("1", grant("a", 5));
    two.follow("1", grant("a", 3), "e-7");
    two.follow("2", grant("a", 4));
    two.follow("3", other);
    two.follow("4", newer);
    const stream = await asked();
    assert.deepEqual(stream.subs.sort(), [grant("a", 4), other, newer].sort());
    greet(stream);
    assert.equal(await one.next(), "1 live");
    publish(stream, "a", 5);
    publish(stream, "a", 8);
    assert.equal(await one.next(), "1 message: 8");
    const delivered = [];
    for (let count = 0; count < 11; count += 1) delivered.push(await two.next());
    assert.deepEqual(delivered.filter((line) => line.includes("message")).sort(), [
      "1 message: 8",
      "2 message: 5",
      "2 message: 8",
      "3 message: 5",
      "3 message: 8",
      "4 message: 5",
      "4 message: 8",
    ]);
  });

  it("asks by themselves for those whose grant was merged with one that is refused", async () => {
    const tab = new Tab();
    const [forged, good] = [grant("a", 1), grant("a", 2)];
    tab.follow("1", forged);
    tab.follow("2", good);
    const { response, subs } = await asked();
    assert.deepEqual(subs, [forged]);
    response.end(
      'event: sse:open\ndata: {"connection": "c", "subs": [null]}\n\nevent: sse:denied\ndata: {"denied": [{"sub": 0, "reason": "forged"}]}\n\n',
    );
    assert.equal(await tab.next(), "1 forged");
    assert.deepEqual((await open()).subs, [good]);
    while ((await tab.next()) !== "2 live");
  });

  it("serves a new subscription over its connection, if it has missed nothing", async () => {
    const [one, two, late] = [new Tab(), new Tab(), new Tab()];
    one.follow("1", grant("a", 1));
    const first = await open();
    publish(first, "a", 3);
    assert.deepEqual([await one.next(), await one.next()], ["1 live", "1 message: 3"]);
    two.follow("1", grant("a", 3));
    assert.equal(await two.next(), "1 live");
    publish(first, "a", 4);
    assert.equal(await two.next(), "1 message: 4");
    assert.equal(server.visits.items.length, 0);
    late.follow("1", grant("a", 3));
    const second = await open();
    assert.deepEqual(second.subs, [`${grant("a", 3)}`]);
    publish(second, "a", 4);
    assert.deepEqual([await late.next(), await late.next()], ["1 live", "1 message: 4"]);
  });

  it("refuses what is too much for a request, and nothing else", async () => {
    const tab = new Tab();
    const names = Array.from({ length: 5_000 }, (_, number) => `channel${number}${"x".repeat(50)}`);
    for (const [index, name] of names.entries()) tab.follow(String(index), grant(name, 1));
    const stream = await asked();
    const size = String(new URLSearchParams(stream.subs.map((sub) => ["sub", sub]))).length;
    assert.ok(size <= 262_144 && size > 250_000, `${size}`);
    greet(stream);
    const counts = { live: 0, limit: 0 };
    for (const _ of names) counts[/** @type {"live" | "limit"} */ ((await tab.next()).split(" ")[1])] += 1;
    assert.deepEqual(counts, { live: stream.subs.length, limit: names.length - stream.subs.length });
  });

  it("asks for half of what a server does not take", async () => {
    const tab = new Tab();
    for (const name of ["a", "b", "c", "d"]) tab.follow(name, grant(name, 1));
    const { response } = await server.visits.next();
    response.writeHead(413).end();
    const stream = await open();
    assert.deepEqual(stream.subs, [grant("a", 1), grant("b", 1)]);
    const lines = [await tab.next(), await tab.next(), await tab.next(), await tab.next()];
    assert.deepEqual(lines.sort(), ["a live", "b live", "c limit", "d limit"]);
  });

  it("refuses each subscription of a refused request with its reason, and serves later ones", async () => {
    const tab = new Tab();
    tab.follow("1", "old");
    const visit = await server.visits.next();
    visit.response.writeHead(403, { "Content-Type": "application/json" });
    visit.response.end('{"denied": [{"sub": 0, "reason": "expired"}]}');
    assert.equal(await tab.next(), "1 expired");
    tab.follow("2", "new");
    const { subs } = await open();
    assert.deepEqual(subs, ["new"]);
    assert.equal(await tab.next(), "2 live");
  });

  it("ends the subscriptions to a revoked channel, and continues the others", async () => {
    const tab = new Tab();
    tab.follow("1", "a");
    tab.follow("2", "b", "e-3");
    const { response } = await open();
    assert.deepEqual([await tab.next(), await tab.next()], ["1 live", "2 live"]);
    response.end('event: sse:denied\ndata: {"denied": [{"channels": ["a"], "reason": "revoked"}]}\n\n');
    assert.equal(await tab.next(), "1 revoked");
    assert.equal(await tab.next(), "2 reconnecting");
    const { subs } = await open();
    assert.deepEqual(subs, ["b~e-3"]);
  });

  it("reports a gap to the subscriptions that it affects, and does not request the missing events again", async () => {
    const tab = new Tab();
    tab.follow("1", "a", "old-1");
    tab.follow("2", "b", "e-3");
    const { response } = await open();
    assert.deepEqual([await tab.next(), await tab.next()], ["1 live", "2 live"]);
    write(response, 'event: sse:reset\ndata: {"channels": ["a", "c"], "cursor": "e-9"}');
    assert.equal(await tab.next(), '1 sse:reset: {"channels":["a"],"cursor":"e-9"}');
    response.destroy();
    const { subs } = await asked();
    assert.deepEqual(subs, ["a~e-9", "b~e-3"]);
  });

  it("reports a gap in the broadcasts, which all subscriptions get, to each of them", async () => {
    const tab = new Tab();
    tab.follow("1", "a");
    tab.follow("2", "b");
    const { response } = await open();
    assert.deepEqual([await tab.next(), await tab.next()], ["1 live", "2 live"]);
    write(response, 'event: sse:reset\ndata: {"channels": ["a", "sse:broadcast"], "cursor": "e-9"}');
    assert.equal(await tab.next(), '1 sse:reset: {"channels":["a"],"cursor":"e-9"}');
    assert.equal(await tab.next(), '2 sse:reset: {"channels":[],"cursor":"e-9"}');
  });

  it("renews grants before they expire, over the same connection", async () => {
    const tab = new Tab();
    tab.follow("1", "a");
    tab.follow("2", "b");
    await open(1.25);
    assert.deepEqual([await tab.next(), await tab.next()], ["1 live", "2 live"]);
    const { request, response } = await server.visits.next();
    assert.equal(request.url, "/sse/renew");
    assert.deepEqual([...new URLSearchParams(await text(request))].flat(), ["connection", "c", "sub", "a", "sub", "b"]);
    response.writeHead(200, { "Content-Type": "application/json" });
    response.end('{"subs": [{"grant": "a2", "expires": 3600}, {"denied": "revoked"}]}');
    assert.deepEqual([await tab.next(), await tab.next()], ["1 a2", "2 revoked"]);
    const { subs } = await asked();
    assert.deepEqual(subs, ["a2"]);
  });

  it("sends events that arrive together in one message", async () => {
    const tab = new Tab();
    tab.follow("1", "a");
    const { response } = await open();
    assert.equal(await tab.next(), "1 live");
    const before = tab.messages;
    response.write(Array.from({ length: 50 }, (_, n) => `id: e-${n}\nchannel: a\ndata: ${n}\n\n`).join(""));
    for (let number = 0; number < 50; number += 1) assert.equal(await tab.next(), `1 message: ${number}`);
    assert.equal(tab.messages, before + 1);
  });

  it("passes on which tabs a message is for", async () => {
    const tab = new Tab();
    tab.follow("1", "a");
    const stream = await open();
    publish(stream, "a", 1, "exclude: tab_1 tab_2\nonly: tab_3\n");
    await tab.delivered.next();
    const { payload } = await tab.delivered.next();
    assert.deepEqual([payload.exclude, payload.only], [["tab_1", "tab_2"], ["tab_3"]]);
  });

  it("releases the port of a tab that says goodbye", async () => {
    const [one, two] = [new Tab(), new Tab()];
    assert.deepEqual([(await one.answers.next()).type, (await two.answers.next()).type], ["hello", "hello"]);
    const closed = one.closed();
    one.send({ type: "bye" });
    await closed;
    hub.reportError("oops");
    assert.deepEqual(await two.answers.next(), { type: "error", message: "oops" });
    assert.deepEqual(one.answers.items, []);
  });

  it("tells each tab over which connection it is served, and whether that serves no other", async () => {
    const one = new Tab();
    one.follow("1", "a");
    const { subs } = await open();
    assert.deepEqual(subs, ["a"]);
    assert.equal(await one.next(), "1 live");
    assert.deepEqual(one.servings.at(-1), { connection: "c", isAlone: true });
    const two = new Tab();
    two.follow("1", "a");
    await open();
    assert.equal(await two.next(), "1 live");
    assert.deepEqual([one.servings.at(-1)?.isAlone, two.servings.at(-1)?.isAlone], [false, false]);
    const count = one.servings.length;
    const closed = two.closed();
    two.leave();
    await closed;
    one.send({ type: "ping" });
    while ((await one.answers.next()).type !== "pong");
    assert.deepEqual(one.servings.slice(count), [{ connection: "c", isAlone: true }]);
  });

  it("drops a tab that the server has heard say goodbye", async () => {
    const clock = new ManualClock();
    /** @type {string[]} */
    const closed = [];
    const fetch = async () => ({ status: 200, json: async () => ({ gone: ["ab"] }) });
    const report = new PresenceReport(
      "https://example.org/sse/stream",
      {
        collect: () => ({ connection: "c", tabs: [{ id: "tab_1", rooms: ["hall"], visible: true, visit: "ab" }] }),
        onGone: (visits) => closed.push(...visits),
      },
      { ...clock.environment, fetch: /** @type {any} */ (fetch) },
    );
    report.update();
    clock.advance(100);
    for (let turn = 0; turn < 5; turn += 1) await setImmediate();
    assert.deepEqual(closed, ["ab"]);
  });

  it("releases the port of a tab that has been silent for too long, and ends its subscriptions", async () => {
    const clock = new ManualClock();
    hub = new Hub(server.url, { env: clock.environment });
    const [silent, other] = [new Tab(), new Tab()];
    silent.follow("1", "a");
    other.follow("1", "b");
    for (const tab of [silent, other]) {
      tab.send({ type: "ping" });
      assert.deepEqual([(await tab.answers.next()).type, (await tab.answers.next()).type], ["hello", "pong"]);
    }
    clock.advance(10);
    const { subs } = await open();
    assert.deepEqual(subs.sort(), ["a", "b"]);
    const closed = silent.closed();
    clock.time += 200_000;
    other.send({ type: "ping" });
    assert.equal((await other.answers.next()).type, "pong");
    clock.time += 1;
    other.send({ type: "ping" });
    await closed;
    hub.reportError("oops");
    assert.deepEqual([(await other.answers.next()).type, (await other.answers.next()).type], ["pong", "error"]);
    assert.deepEqual(silent.answers.items, []);
    clock.advance(1_000);
    assert.deepEqual((await open()).subs, ["b"]);
  });
});
