import { PRESENCE_PATH, STREAM_PATH } from "../protocol.js";

/** @typedef {{ connection: string, tabs: import("./hub-client.js").Presence[] }} Report for a connection; "" without one */

// Milliseconds: a page that is left and the one that comes after it are one change.
const TOGETHER_MS = 100;
const RETRY_MS = 2_000;

/** Tells the server which tabs are where, over which connection, if that is any different from what it was told. */
export class Attendance {
  #address;
  #report;
  #told = "";
  /** @type {any} */
  #timer = null;

  /**
   * @param {string} address of streams
   * @param {() => Report} report
   */
  constructor(address, report) {
    this.#address = address.slice(0, -STREAM_PATH.length) + PRESENCE_PATH;
    this.#report = report;
  }

  /** Something may have changed. */
  change() {
    this.#timer ??= setTimeout(() => this.#tell(), TOGETHER_MS);
  }

  async #tell() {
    this.#timer = null;
    const report = this.#report();
    const text = JSON.stringify(report);
    const isNothing = report.tabs.length === 0 && !this.#told;
    if (!report.connection || isNothing || text === this.#told) return;
    this.#told = text;
    if (!(await this.#send(text))) {
      this.#told = "";
      this.#timer ??= setTimeout(() => this.#tell(), RETRY_MS);
    }
  }

  /** @param {string} body */
  async #send(body) {
    try {
      const headers = { "Content-Type": "application/json" };
      const { status } = await fetch(this.#address, { method: "POST", headers, body, cache: "no-store" });
      return status < 500; // what was refused once is refused again
    } catch {
      return false;
    }
  }
}
