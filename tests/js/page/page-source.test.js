import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import { FakeElement } from "../support/fake-page.js";
import { Queue } from "../support/queue.js";
import { StreamServer } from "../support/stream-server.js";

const { PageSource } = await import("../../../static/page/page-source.js");
const { sources } = await import("../../../static/page/sources.js");
const { tabId } = await import("../../../static/page/tab.js");

/** @typedef {InstanceType<typeof PageSource>} Source */

/** @type {StreamServer} */
let server;
/** @type {Queue<any>} */
let applied;
/** @type {any[]} */
let changes;

beforeEach(async () => {
  server = await StreamServer.start();
  applied = new Queue();
  changes = [];
});

afterEach(async () => {
  for (const source of [...sources]) source.close();
  await server.kill();
});

/** @param {Record<string, string>} [attributes] */
async function connected(attributes) {
  const element = new FakeElement(attributes);
  element.addEventListener("sse:state", (event) => changes.push(/** @type {CustomEvent} */ (event).detail));
  /** @type {Queue<string>} */
  const calls = new Queue();
  const source = new PageSource(server.url, element.asElement, {
    onEvent: (event) => applied.push(event),
    onReset: (event) => calls.push(event.type),
    onOpen: () => calls.push("open"),
    onLoss: () => calls.push("loss"),
    onResume: () => calls.push("resume"),
  });
  const visit = await server.stream();
  assert.equal(await calls.next(), "open");
  return { source, element, calls, ...visit };
}

/**
 * @param {number} sequence
 * @param {string} [more]
 */
function frame(sequence, more = "") {
  return `id: e-${sequence}\nchannel: a\n${more}data: ${sequence}\n\n`;
}

describe("PageSource", { timeout: 30_000 }, () => {
  it("resumes after the cursor of its element, and applies each event once and in order", async () => {
    const { request, response } = await connected({ "data-sse-cursor": "e-3" });
    assert.equal(request.headers["last-event-id"], "e-3");
    response.write([2, 3, 4, 4, 3, 5].map((sequence) => frame(sequence)).join(""));
    assert.deepEqual([(await applied.next()).data, (await applied.next()).data], ["4", "5"]);
    response.write("data: not of the log\n\ndata: not of the log\n\n");
    assert.equal((await applied.next()).data, "not of the log");
    assert.equal((await applied.next()).data, "not of the log");
  });

  it("passes on the event as it was parsed", async () => {
    const { response } = await connected();
    response.write(frame(1, "only: tab_x\nevent: progress\n").replace("tab_x", tabId));
    const event = { type: "progress", data: "1", lastEventId: "e-1", channel: "a", only: [tabId] };
    assert.deepEqual(await applied.next(), event);
  });

  it("ignores events for other tabs, and events that exclude this one", async () => {
    const { response } = await connected();
    response.write(frame(1, "only: tab_other\n") + frame(2, `exclude: ${tabId} tab_other\n`) + frame(3));
    assert.equal((await applied.next()).data, "3");
  });

  it("records in its element what was applied, but no event that is not in the log", async () => {
    const { source, element, response } = await connected({ "data-sse-cursor": "e-0" });
    response.write(`${frame(1)}data: x\n\n`);
    const event = await applied.next();
    assert.equal(element.getAttribute("data-sse-cursor"), "e-0");
    source.markApplied(event);
    assert.equal(element.getAttribute("data-sse-cursor"), "e-1");
    source.markApplied({ ...(await applied.next()), lastEventId: "e-9" });
    assert.equal(element.getAttribute("data-sse-cursor"), "e-1");
  });

  it("shows its state in its element, and dispatches each change and each loss", async () => {
    const { source, element, calls, response } = await connected();
    assert.equal(element.getAttribute("data-sse-state"), "live");
    response.end();
    assert.equal(await calls.next(), "loss");
    assert.equal(element.getAttribute("data-sse-state"), "reconnecting");
    assert.deepEqual(
      changes.map(({ state, status, final }) => [state, status, final]),
      [
        ["connecting", undefined, undefined],
        ["live", undefined, undefined],
        ["reconnecting", 200, false],
      ],
    );
    source.close();
    assert.equal(sources.size, 0);
  });

  it("is stale while it is on hold, whatever its connection does, and resumes after the cursor of a fresh page", async () => {
    const { source, element, calls } = await connected({ "data-sse-cursor": "e-3" });
    source.hold();
    assert.deepEqual([source.isStale, element.getAttribute("data-sse-state")], [true, "stale"]);
    source.reconnectNow();
    source.suspend();
    source.resume();
    assert.equal(server.visits.items.length, 0);
    source.resumeAfter("e-9");
    assert.equal(await calls.next(), "resume");
    const { request, response } = await server.stream();
    assert.equal(request.headers["last-event-id"], "e-9");
    assert.equal(await calls.next(), "open");
    assert.deepEqual([element.getAttribute("data-sse-cursor"), source.isStale], ["e-9", false]);
    response.write(frame(9) + frame(10));
    assert.equal((await applied.next()).data, "10");
  });

  it("continues after a gap if the page handles it", async () => {
    const { source, element, calls, response } = await connected({ "data-sse-heal": "event" });
    /** @type {any[]} */
    const gaps = [];
    element.addEventListener("sse:reset", (event) => gaps.push(/** @type {CustomEvent} */ (event).detail));
    response.write('event: sse:reset\ndata: {"channels": ["a"], "cursor": "e-5"}\n\n');
    assert.equal(await calls.next(), "sse:reset");
    assert.deepEqual([gaps, source.isStale], [[{ channels: ["a"], cursor: "e-5" }], false]);
    response.write(frame(6));
    assert.equal((await applied.next()).data, "6");
  });

  it("reconnects when the URL of its element changes, and only then", async () => {
    const { source, element } = await connected({ "data-sse-cursor": "e-3" });
    source.follow(server.url);
    assert.equal(server.visits.items.length, 0);
    element.setAttribute("data-sse-cursor", "e-4");
    source.follow(`${server.url}?other`);
    const { request } = await server.stream();
    assert.deepEqual([request.url, request.headers["last-event-id"]], ["/sse/stream?other", "e-4"]);
  });
});
