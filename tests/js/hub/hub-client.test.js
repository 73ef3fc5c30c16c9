import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import { setImmediate } from "node:timers/promises";
import { HubClient } from "../../../static/hub/hub-client.js";
import { ManualClock } from "../support/manual-clock.js";
import { Queue } from "../support/queue.js";

const ADDRESS = "https://example.org/sse/stream";

/** The hub's side of a worker's port. */
class FakeWorker {
  /** @type {Queue<any>} */
  messages = new Queue();
  /** @type {Record<string, () => void>} */
  listeners = {};
  #far;

  constructor() {
    const { port1, port2 } = new MessageChannel();
    this.port = port1;
    this.#far = port2;
    port2.onmessage = ({ data }) => this.messages.push(data);
  }

  /**
   * @param {string} type
   * @param {() => void} listener
   */
  addEventListener(type, listener) {
    this.listeners[type] = listener;
  }

  /** @param {object} message */
  async send(message) {
    this.#far.postMessage(message);
    for (let turn = 0; turn < 5; turn += 1) await setImmediate();
  }

  close() {
    this.#far.close();
  }
}

/** @type {ManualClock} */
let clock;
/** @type {FakeWorker[]} */
let workers;
/** @type {{ name: string, onFree: () => void }[]} */
let locks;
/** What the hub in the page has requested. @type {string[]} */
let requests;
/** @type {HubClient} */
let client;

beforeEach(() => {
  clock = new ManualClock();
  workers = [];
  locks = [];
  requests = [];
  client = newClient();
});

afterEach(() => {
  for (const id of ["1", "2"]) client.unsubscribe(id);
  clock.advance(1_000); // a hub in the page closes its connection
  for (const worker of workers) worker.close();
});

/** @param {() => any} [openWorker] */
function newClient(openWorker = newWorker) {
  const fetch = (/** @type {any} */ address, /** @type {any} */ init) => {
    requests.push(`${address} ${init.body}`);
    return new Promise(() => {});
  };
  const request = (/** @type {string} */ name, /** @type {object} */ _, /** @type {() => void} */ onFree) => {
    locks.push({ name, onFree });
    return new Promise(() => {});
  };
  return new HubClient(ADDRESS, {
    env: { ...clock.environment, fetch: /** @type {any} */ (fetch) },
    openWorker,
    locks: /** @type {any} */ ({ request }),
  });
}

function newWorker() {
  const worker = new FakeWorker();
  workers.push(worker);
  return worker;
}

class FakeSubscriber {
  /** @type {any[]} */
  deliveries = [];
  /** @type {any[]} */
  advanced = [];
  request = { grant: "g", cursor: "", cap: 30_000 };

  /** @param {any} delivery */
  receive(delivery) {
    this.deliveries.push(delivery);
  }

  /**
   * @param {string} cursor
   * @param {number} heardAt
   */
  advance(cursor, heardAt) {
    this.request.cursor = cursor;
    this.advanced.push([cursor, heardAt]);
  }
}

const SUBSCRIPTION = { id: "1", grant: "g", cursor: "", cap: 30_000 };

/** Subscribe at a worker that has answered the hello message. */
async function connected() {
  const subscriber = new FakeSubscriber();
  client.subscribe("1", subscriber);
  const [worker] = workers;
  assert.deepEqual(await worker.messages.next(), { type: "subscribe", subscription: SUBSCRIPTION });
  await worker.send({ type: "hello", lock: "lock" });
  return { subscriber, worker };
}

/** Let messages between ports arrive. */
async function arrive() {
  for (let turn = 0; turn < 10; turn += 1) await setImmediate();
}

/** Let the hub in the page connect. */
async function connectInPage() {
  await arrive();
  clock.advance(10);
}

describe("HubClient", { timeout: 30_000 }, () => {
  it("passes each delivery to the subscriptions that it is for", async () => {
    const { subscriber, worker } = await connected();
    const other = new FakeSubscriber();
    client.subscribe("2", other);
    const payload = { type: "message", data: "x", lastEventId: "", channel: "" };
    const delivery = (/** @type {string[]} */ ids) => ({ ids, type: "event", payload });
    await worker.send({ type: "deliveries", deliveries: [delivery(["1", "2"]), delivery(["2"]), delivery(["3"])] });
    assert.deepEqual([subscriber.deliveries.length, other.deliveries.length], [1, 2]);
    assert.deepEqual(subscriber.deliveries[0].payload, payload);
  });

  it("says goodbye after the last subscription, and connects again for the next", async () => {
    const { worker } = await connected();
    client.unsubscribe("1");
    assert.deepEqual(await worker.messages.next(), { type: "unsubscribe", id: "1" });
    assert.deepEqual(await worker.messages.next(), { type: "bye" });
    assert.equal(clock.timers.size, 0);
    client.subscribe("1", new FakeSubscriber());
    assert.equal(workers.length, 2);
  });

  it("learns from a pong the cursor of each subscription, and which ones the hub has dropped", async () => {
    const { subscriber, worker } = await connected();
    client.subscribe("2", new FakeSubscriber());
    assert.equal((await worker.messages.next()).subscription.id, "2");
    clock.advance(5_000);
    assert.deepEqual(await worker.messages.next(), { type: "ping" });
    await worker.send({ type: "pong", heardAt: 7, cursors: { 1: "e-9" } });
    assert.deepEqual(subscriber.advanced, [["e-9", 7]]);
    assert.deepEqual(await worker.messages.next(), { type: "subscribe", subscription: { ...SUBSCRIPTION, id: "2" } });
    clock.advance(5_000);
    assert.deepEqual(await worker.messages.next(), { type: "ping" });
    assert.equal(workers.length, 1);
  });

  it("replaces a worker that hangs, and resumes from the cursor", async () => {
    const { subscriber } = await connected();
    subscriber.request.cursor = "e-3";
    clock.advance(10_000);
    assert.equal(workers.length, 2);
    const subscription = { ...SUBSCRIPTION, cursor: "e-3" };
    assert.deepEqual(await workers[1].messages.next(), { type: "subscribe", subscription });
  });

  it("replaces a worker as soon as its lock is free, and the second time connects in the page", async () => {
    await connected();
    assert.equal(locks[0].name, "lock");
    locks[0].onFree();
    assert.equal(workers.length, 2);
    await workers[1].send({ type: "hello", lock: "lock 2" });
    locks[0].onFree();
    assert.equal(workers.length, 2, "the lock of the first worker is of no interest any more");
    locks[1].onFree();
    await connectInPage();
    assert.deepEqual([workers.length, requests], [2, [`${ADDRESS} sub=g`]]);
  });

  it("trusts workers again after a minute", async () => {
    await connected();
    locks[0].onFree();
    await workers[1].send({ type: "hello", lock: "lock 2" });
    clock.time += 60_001;
    locks[1].onFree();
    assert.equal(workers.length, 3);
  });

  it("connects in the page if the worker does not say hello in time, or fails", async () => {
    client.subscribe("1", new FakeSubscriber());
    clock.advance(4_999);
    await connectInPage();
    assert.equal(requests.length, 0);
    clock.advance(1);
    await connectInPage();
    assert.equal(requests.length, 1);
    client.unsubscribe("1");

    client = newClient();
    client.subscribe("2", new FakeSubscriber());
    workers[1].listeners.error();
    await connectInPage();
    assert.equal(requests.length, 2);
  });

  it("connects in the page where there is no SharedWorker", async () => {
    client = newClient(() => {
      throw new ReferenceError("SharedWorker is not defined");
    });
    client.subscribe("1", new FakeSubscriber());
    await connectInPage();
    assert.deepEqual(requests, [`${ADDRESS} sub=g`]);
  });

  it("sends its presence to every hub", async () => {
    const presence = { id: "tab_1", rooms: ["lobby"], visible: true };
    client.setPresence(presence);
    const { worker } = await connected();
    assert.deepEqual(await worker.messages.next(), { type: "presence", presence });
    locks[0].onFree();
    assert.equal((await workers[1].messages.next()).type, "subscribe");
    assert.deepEqual(await workers[1].messages.next(), { type: "presence", presence });
  });

  it("checks that the hub is alive when it reconnects now", async () => {
    const { worker } = await connected();
    client.reconnectNow();
    assert.deepEqual(await worker.messages.next(), { type: "reconnect" });
    assert.deepEqual(await worker.messages.next(), { type: "ping" });
    clock.advance(2_999);
    assert.equal(workers.length, 1);
    clock.advance(1);
    assert.equal(workers.length, 2);
  });
});
