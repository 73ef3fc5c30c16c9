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
  /** @type {string[]} */
  visits = [];
  /** @type {Record<string, () => void>} */
  listeners = {};
  #far;

  /** @param {number} generation */
  constructor(generation) {
    const { port1, port2 } = new MessageChannel();
    this.generation = generation;
    this.port = port1;
    this.#far = port2;
    port2.onmessage = ({ data }) => (data.type === "visit" ? this.visits.push(data.visit) : this.messages.push(data));
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
/** What was sent to the server by beacon. @type {any[]} */
let beacons;
/** Which worker the browser's tabs use. */
let generation = 0;
/** What the hub in the page has requested. @type {string[]} */
let requests;
/** @type {HubClient} */
let client;

beforeEach(() => {
  clock = new ManualClock();
  workers = [];
  beacons = [];
  generation = 0;
  requests = [];
  client = newClient();
});

afterEach(() => {
  for (const id of ["1", "2"]) client.unsubscribe(id);
  clock.advance(1_000); // a hub in the page closes its connection
  for (const worker of workers) worker.close();
});

/** @param {(address: string, generation: number) => any} [openWorker] */
function newClient(openWorker = newWorker) {
  const fetch = (/** @type {any} */ address, /** @type {any} */ init) => {
    requests.push(`${address} ${init.body}`);
    return new Promise(() => {});
  };
  const sendBeacon = (/** @type {string} */ address, /** @type {string} */ body) => {
    beacons.push({ address, ...JSON.parse(body) });
  };
  return new HubClient(ADDRESS, {
    env: { ...clock.environment, fetch: /** @type {any} */ (fetch), sendBeacon },
    openWorker,
    generation: /** @type {any} */ (sharedGeneration),
  });
}

const sharedGeneration = {
  get current() {
    return generation;
  },
  set current(number) {
    generation = number;
  },
  /** @param {number} lost */
  follow(lost) {
    if (generation === lost) generation += 1;
  },
};

/**
 * @param {string} _
 * @param {number} number
 */
function newWorker(_, number) {
  const worker = new FakeWorker(number);
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

const HELLO = { type: "hello", isInWorker: true };
const SUBSCRIPTION = { id: "1", grant: "g", cursor: "", cap: 30_000 };

/** Subscribe at a worker that has answered the hello message. */
async function connected() {
  const subscriber = new FakeSubscriber();
  client.subscribe("1", subscriber);
  const [worker] = workers;
  assert.deepEqual(await worker.messages.next(), { type: "subscribe", subscription: SUBSCRIPTION });
  await worker.send(HELLO);
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

  it("replaces a worker that dies by one of another name, and the second time connects in the page", async () => {
    await connected();
    workers[0].close();
    await arrive();
    assert.deepEqual([workers.length, workers[1].generation], [2, 1]);
    await workers[1].send(HELLO);
    workers[1].close();
    await arrive();
    await connectInPage();
    assert.deepEqual([workers.length, requests], [2, [`${ADDRESS} sub=g`]]);
  });

  it("trusts workers again after a minute", async () => {
    await connected();
    workers[0].close();
    await arrive();
    await workers[1].send(HELLO);
    clock.time += 60_001;
    workers[1].close();
    await arrive();
    assert.equal(workers.length, 3);
  });

  it("follows another tab to the worker that it has found", async () => {
    await connected();
    generation = 1; // another tab has lost it, too
    workers[0].close();
    await arrive();
    assert.deepEqual([workers[1].generation, generation], [1, 1]);
  });

  it("tries a worker of another name if one does not say hello in time, and then connects in the page", async () => {
    client.subscribe("1", new FakeSubscriber());
    clock.advance(4_999);
    assert.equal(workers.length, 1);
    clock.advance(1);
    assert.deepEqual([workers.length, workers[1].generation], [2, 1]);
    clock.advance(5_000);
    await connectInPage();
    assert.equal(requests.length, 1);
  });

  it("goes back to a worker that answers late", async () => {
    client.subscribe("1", new FakeSubscriber());
    clock.advance(10_000);
    await connectInPage();
    await workers[1].send(HELLO);
    assert.deepEqual([workers.length, workers[2].generation], [3, 1]);
    await workers[2].send(HELLO);
    await workers[0].send(HELLO);
    assert.equal(workers.length, 3, "one worker is enough");
    const subscription = { ...SUBSCRIPTION };
    assert.deepEqual(await workers[2].messages.next(), { type: "subscribe", subscription });
  });

  it("connects in the page if the worker fails", async () => {
    client.subscribe("1", new FakeSubscriber());
    workers[0].listeners.error();
    await connectInPage();
    assert.equal(requests.length, 1);
  });

  it("says goodbye to the server by itself, and another page visit has another name", async () => {
    client.setPresence({ id: "tab_1", rooms: ["lobby"], visible: true });
    const { worker } = await connected();
    client.sayGoodbye();
    assert.deepEqual(beacons, [], "it does not know the connection yet");
    await worker.send({ type: "serving", serving: { connection: "c", isAlone: true } });
    client.sayGoodbye();
    const [gone] = worker.visits;
    assert.match(gone, /^[0-9a-f]{24}$/);
    assert.deepEqual(beacons, [
      { address: "https://example.org/sse/presence", connection: "c", gone, tab: "tab_1", last: true },
    ]);
    client.unsubscribe("1");
    client.subscribe("1", new FakeSubscriber());
    await arrive();
    assert.notEqual(workers[1].visits[0], gone);
    client.sayGoodbye();
    assert.equal(beacons.length, 1);
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
    worker.close();
    await arrive();
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
