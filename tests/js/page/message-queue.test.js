import assert from "node:assert/strict";
import { it } from "node:test";
import { MessageQueue } from "../../../static/page/message-queue.js";

/**
 * @param {string} data
 * @param {string} [channel]
 */
function message(data, channel = "") {
  return { type: "message", data, lastEventId: "", channel };
}

it("returns events one by one, whether they came before or after the request", async () => {
  const queue = new MessageQueue();
  queue.push(message("1"));
  queue.push(message("2"));
  assert.equal((await queue.take()).data, "1");
  assert.equal((await queue.take()).data, "2");
  const third = queue.take();
  queue.push(message("3"));
  assert.equal((await third).data, "3");
});

it("has the last returned event, until the next is requested", async () => {
  const queue = new MessageQueue();
  queue.push(message("1"));
  const first = await queue.take();
  assert.equal(queue.taken, first);
  const second = queue.take();
  assert.equal(queue.taken, null);
  queue.push(message("2"));
  await second;
});

it("drops the events of the log, and keeps those that nobody could send again", async () => {
  const queue = new MessageQueue();
  queue.push(message("1", "todos"));
  await queue.take();
  for (const [data, channel] of [
    ["2", "todos"],
    ["3", ""],
    ["4", "todos"],
  ])
    queue.push(message(data, channel));
  queue.dropLogged();
  assert.equal(queue.taken, null);
  assert.equal((await queue.take()).data, "3");
  const next = queue.take();
  queue.push(message("5", "todos"));
  assert.equal((await next).data, "5");
});
