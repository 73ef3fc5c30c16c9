import { environment } from "../environment.js";
import { PRESENCE_PATH, STREAM_PATH } from "../protocol.js";
import { Timer } from "../timer.js";

/** @typedef {{ connection: string, tabs: (import("./tab-port.js").Presence & { visit?: string })[] }} Report `connection` is the server's id, or "" */

// When a page follows another in the same tab, both changes go in one report.
const COLLECT_MS = 100;
const RETRY_MS = 2_000;
// A report that takes longer goes over a connection that is dead, such as one of before the computer slept.
const TIMEOUT_MS = 5_000;
// A report is repeated when so much of a heartbeat has passed: with each heartbeat, as these may come a little early.
const RENEW_HEARTBEATS = 0.8;

/**
 * Tells the server which tabs are in which rooms over which connection, whenever that has changed, and again as long as it hears
 * of the server. Bytes that come, and no timer, remind it: browsers delay the timers of hidden tabs.
 */
export class PresenceReport {
  #address;
  #collect;
  #onGone;
  #environment;
  #timer;
  #reported = "";
  #reportedAt = 0;
  #isSending = false;

  /**
   * @param {string} address of streams
   * @param {object} callbacks
   * @param {() => Report} callbacks.collect
   * @param {(visits: string[]) => void} [callbacks.onGone] called with reported visits that have said goodbye to the server
   * @param {import("../environment.js").Environment} [env]
   */
  constructor(address, { collect, onGone = () => {} }, env = environment) {
    this.#address = address.slice(0, -STREAM_PATH.length) + PRESENCE_PATH;
    this.#collect = collect;
    this.#onGone = onGone;
    this.#environment = env;
    this.#timer = new Timer(env);
  }

  /** Check soon whether there is a change to report. */
  update() {
    this.#reportWithin(COLLECT_MS);
  }

  /**
   * Repeat the report, if that is due: the server forgets one that is not repeated for some heartbeats.
   *
   * @param {number} heartbeat seconds
   */
  renew(heartbeat) {
    if (this.#isSending) return;
    const isDue = this.#environment.monotonic() - this.#reportedAt >= RENEW_HEARTBEATS * heartbeat * 1000;
    if (!isDue || !this.#reported || !this.#collect().tabs.some(({ rooms }) => rooms.length > 0)) return;
    this.#reported = "";
    this.#report();
  }

  /** @param {number} milliseconds */
  #reportWithin(milliseconds) {
    if (!this.#timer.isPending) this.#timer.start(milliseconds, () => this.#report());
  }

  async #report() {
    const report = this.#collect();
    const body = JSON.stringify(report);
    const isFirstAndEmpty = report.tabs.length === 0 && !this.#reported;
    if (!report.connection || isFirstAndEmpty || body === this.#reported) return;
    this.#reported = body;
    this.#reportedAt = this.#environment.monotonic();
    if (await this.#send(body)) return;
    this.#reported = "";
    this.#reportWithin(RETRY_MS);
  }

  /** @param {string} body */
  async #send(body) {
    const { fetch } = this.#environment;
    const attempt = new AbortController();
    const timer = new Timer(this.#environment);
    timer.start(TIMEOUT_MS, () => attempt.abort());
    this.#isSending = true;
    try {
      const headers = { "Content-Type": "application/json" };
      const init = { method: "POST", headers, body, cache: /** @type {const} */ ("no-store"), signal: attempt.signal };
      const response = await fetch(this.#address, init);
      if (response.status === 200) this.#onGone((await response.json()).gone);
      return response.status < 500; // a report that was refused would be refused again
    } catch {
      return false;
    } finally {
      timer.stop();
      this.#isSending = false;
    }
  }
}
