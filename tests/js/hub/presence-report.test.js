import assert from "node:assert/strict";
import { beforeEach, it } from "node:test";
import { setImmediate } from "node:timers/promises";
import { PresenceReport } from "../../../static/hub/presence-report.js";
import { ManualClock } from "../support/manual-clock.js";

const TAB = { id: "tab_1", rooms: ["lobby"], visible: true };

/** @type {ManualClock} */
let clock;
/** @type {{ connection: string, tabs: object[] }} */
let current;
/** What the server got. @type {any[]} */
let reports;
/** @type {number} */
let status;
/** @type {PresenceReport} */
let report;

beforeEach(() => {
  clock = new ManualClock();
  current = { connection: "c", tabs: [TAB] };
  reports = [];
  status = 204;
  const fetch = async (/** @type {any} */ address, /** @type {any} */ init) => {
    reports.push({ address, ...JSON.parse(init.body) });
    if (status === 0) throw new TypeError("network");
    return { status };
  };
  const env = { ...clock.environment, fetch: /** @type {any} */ (fetch) };
  report = new PresenceReport("https://example.org/sse/stream", { collect: () => /** @type {any} */ (current) }, env);
});

/** @param {number} milliseconds */
async function pass(milliseconds) {
  clock.advance(milliseconds);
  for (let turn = 0; turn < 3; turn += 1) await setImmediate();
}

it("collects changes in one report", async () => {
  report.update();
  report.update();
  await pass(99);
  assert.deepEqual(reports, []);
  await pass(1);
  assert.deepEqual(reports, [{ address: "https://example.org/sse/presence", connection: "c", tabs: [TAB] }]);
});

it("sends nothing that the server knows, and nothing without a connection or a tab", async () => {
  current = { connection: "c", tabs: [] };
  report.update();
  await pass(100);
  current = { connection: "", tabs: [TAB] };
  report.update();
  await pass(100);
  assert.deepEqual(reports, []);
  current = { connection: "c", tabs: [TAB] };
  for (let time = 0; time < 2; time += 1) {
    report.update();
    await pass(100);
  }
  assert.equal(reports.length, 1);
});

it("reports that the last tab has left", async () => {
  report.update();
  await pass(100);
  current = { connection: "c", tabs: [] };
  report.update();
  await pass(100);
  assert.deepEqual(reports[1].tabs, []);
});

for (const failure of [0, 503]) {
  it(`tries again after ${failure || "a network failure"}`, async () => {
    status = failure;
    report.update();
    await pass(100);
    status = 204;
    await pass(1_999);
    assert.equal(reports.length, 1);
    await pass(1);
    assert.equal(reports.length, 2);
    await pass(60_000);
    assert.equal(reports.length, 2);
  });
}

it("does not repeat a report that was refused", async () => {
  status = 403;
  report.update();
  await pass(60_000);
  assert.equal(reports.length, 1);
});

it("repeats a report as long as it hears of the server, once a heartbeat", async () => {
  report.renew(15);
  assert.deepEqual(reports, []); // there is nothing to repeat
  report.update();
  await pass(100);
  for (let time = 0; time < 29; time += 1) {
    await pass(1_000);
    report.renew(15);
  }
  await pass(0);
  assert.equal(reports.length, 3);
  assert.deepEqual(reports[2], reports[0]);
});

it("repeats no report of tabs that are in no room", async () => {
  current = { connection: "c", tabs: [{ ...TAB, rooms: [] }] };
  report.update();
  await pass(100);
  await pass(60_000);
  report.renew(15);
  await pass(0);
  assert.equal(reports.length, 1);
});

it("gives up a report that takes too long, and sends it again over another connection", async () => {
  const hanging = (/** @type {any} */ address, /** @type {RequestInit} */ { signal, body }) =>
    new Promise((_, reject) => {
      reports.push({ address, ...JSON.parse(String(body)) });
      signal?.addEventListener("abort", () => reject(new DOMException("aborted", "AbortError")));
    });
  const env = { ...clock.environment, fetch: /** @type {any} */ (hanging) };
  report = new PresenceReport("https://example.org/sse/stream", { collect: () => /** @type {any} */ (current) }, env);
  report.update();
  await pass(100);
  report.renew(0.001); // one at a time
  await pass(4_999);
  assert.equal(reports.length, 1);
  await pass(1);
  await pass(2_000);
  assert.equal(reports.length, 2);
});
