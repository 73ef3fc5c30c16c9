import { environment } from "../environment.js";
import { PRESENCE_PATH, STREAM_PATH } from "../protocol.js";
import { Timer } from "../timer.js";

/** @typedef {{ connection: string, tabs: import("./tab-port.js").Presence[] }} Report `connection` is the server's id, or "" */

// When a page follows another in the same tab, both changes go in one report.
const COLLECT_MS = 100;
const RETRY_MS = 2_000;

/** Tells the server which tabs are in which rooms over which connection, whenever that has changed. */
export class PresenceReport {
  #address;
  #collect;
  #environment;
  #timer;
  #reported = "";

  /**
   * @param {string} address of streams
   * @param {() => Report} collect
   * @param {import("../environment.js").Environment} [env]
   */
  constructor(address, collect, env = environment) {
    this.#address = address.slice(0, -STREAM_PATH.length) + PRESENCE_PATH;
    this.#collect = collect;
    this.#environment = env;
    this.#timer = new Timer(env);
  }

  /** Check soon whether there is a change to report. */
  update() {
    this.#reportWithin(COLLECT_MS);
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
    if (await this.#send(body)) return;
    this.#reported = "";
    this.#reportWithin(RETRY_MS);
  }

  /** @param {string} body */
  async #send(body) {
    try {
      const headers = { "Content-Type": "application/json" };
      const { fetch } = this.#environment;
      const { status } = await fetch(this.#address, { method: "POST", headers, body, cache: "no-store" });
      return status < 500; // a report that was refused would be refused again
    } catch {
      return false;
    }
  }
}
