import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import { FakeElement } from "../support/fake-page.js";
import { Queue } from "../support/queue.js";
import { StreamServer } from "../support/stream-server.js";

const { EndedSource, EventSourceShell } = await import("../../../static/htmx/event-source-shell.js");
const { hasEnded } = await import("../../../static/page/page-source.js");
const { sources } = await import("../../../static/page/sources.js");

/** @type {StreamServer} */
let server;
/** What removes the listeners. @type {(() => void)[]} */
let removals;

beforeEach(async () => {
  server = await StreamServer.start();
  removals = [];
});

afterEach(async () => {
  for (const source of [...sources]) source.close();
  await server.kill();
});

async function connected() {
  const element = new FakeElement({ "data-sse-cursor": "e-0" });
  const shell = new EventSourceShell(server.url, element.asElement, (remove) => removals.push(remove));
  /** @type {Queue<any>} */
  const opened = new Queue();
  shell.onopen = (event) => opened.push(event);
  const visit = await server.stream();
  assert.equal((await opened.next()).type, "open");
  return { shell, element, ...visit };
}

describe("EventSourceShell", { timeout: 30_000 }, () => {
  it("gives htmx 2 one MessageEvent for all its listeners, and records it in the element after them", async () => {
    const { shell, element, response } = await connected();
    /** @type {Queue<any>} */
    const messages = new Queue();
    shell.onmessage = (event) => messages.push([event, element.getAttribute("data-sse-cursor")]);
    shell.addEventListener("message", (/** @type {any} */ event) => messages.push([event, "listener"]));
    response.write("id: e-1\nchannel: todos\nexclude: tab_x\ndata: x\n\n");
    const [message, cursor] = await messages.next();
    assert.ok(message instanceof MessageEvent);
    const { type, data, lastEventId, origin, channel, exclude } = /** @type {any} */ (message);
    assert.deepEqual(
      { type, data, lastEventId, origin, channel, exclude },
      {
        type: "message",
        data: "x",
        lastEventId: "e-1",
        origin: new URL(server.url).origin,
        channel: "todos",
        exclude: ["tab_x"],
      },
    );
    assert.equal(cursor, "e-0");
    assert.equal((await messages.next())[0], message);
    assert.equal(element.getAttribute("data-sse-cursor"), "e-1");
  });

  it("has the state of its source, and is found by its element until it is closed", async () => {
    const { shell, element } = await connected();
    assert.deepEqual([shell.url, shell.readyState, shell.withCredentials], [server.url, 1, true]);
    assert.equal(EventSourceShell.of(element.asElement), shell);
    shell.close();
    assert.deepEqual([shell.readyState, EventSourceShell.of(element.asElement)], [2, undefined]);
  });

  it("dispatches losses, but never calls the extension's handler, which would replace it", async () => {
    const { shell, response } = await connected();
    shell.onerror = /** @type {any} */ (() => assert.fail("the handler must not be called"));
    assert.equal(shell.onerror, null);
    /** @type {Queue<any>} */
    const errors = new Queue();
    shell.addEventListener("error", (/** @type {any} */ event) => errors.push(event));
    response.end();
    const { status, final } = await errors.next();
    assert.deepEqual([status, final], [200, false]);
  });

  it("fires the extension's events for a loss at the element, and closes when the element has gone", async () => {
    const { shell, element, response } = await connected();
    /** @type {Queue<any>} */
    const fired = new Queue();
    for (const name of ["htmx:sseError", "htmx:sse-error", "htmx:sseClose"]) {
      element.addEventListener(name, (event) => fired.push([name, /** @type {CustomEvent} */ (event).detail]));
    }
    element.isConnected = false;
    response.end();
    const [name, { source, error }] = await fired.next();
    assert.deepEqual([name, source, error.type, error.status], ["htmx:sseError", shell, "error", 200]);
    assert.equal((await fired.next())[0], "htmx:sse-error");
    const [last, { type }] = await fired.next();
    assert.deepEqual([last, type, shell.readyState], ["htmx:sseClose", "nodeMissing", 2]);
  });

  it("is closed for good by the closing event, and by no other", async () => {
    const { shell, element, response } = await connected();
    element.setAttribute("data-sse-close", "done");
    /** @type {Queue<string>} */
    const closed = new Queue();
    shell.addEventListener("done", () => {
      shell.close();
      closed.push(element.getAttribute("data-sse-state") ?? "");
    });
    response.write("event: done\ndata: \n\n");
    assert.equal(await closed.next(), "closed");
    assert.ok(hasEnded(element.asElement, server.url));
    assert.ok(!hasEnded(element.asElement, `${server.url}?next`));
    const ended = new EndedSource(server.url);
    ended.close();
    assert.deepEqual([ended.url, ended.readyState], [server.url, 2]);

    const other = await connected();
    other.shell.close();
    assert.ok(!hasEnded(other.element.asElement, server.url));
  });

  it("returns a function that removes each listener", async () => {
    const { shell, response } = await connected();
    /** @type {Queue<string>} */
    const heard = new Queue();
    shell.addEventListener("message", () => heard.push("old"));
    for (const remove of removals) remove();
    shell.addEventListener("message", () => heard.push("new"));
    response.write("data: x\n\n");
    assert.equal(await heard.next(), "new");
    assert.deepEqual(heard.items, []);
  });
});
