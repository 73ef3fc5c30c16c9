import { environment } from "../environment.js";
import { readText, TooLargeError } from "../page/read-text.js";
import { tabId } from "../page/tab.js";
import { HEARTBEAT_SECONDS, LIVENESS_HEARTBEATS, TAB_HEADER } from "../protocol.js";
import { decide } from "../stream/retry-policy.js";
import { Timer } from "../timer.js";

/** @typedef {{ status: number, retryAfter?: string | null, html?: string }} Answer */

const TIMEOUT_MS = HEARTBEAT_SECONDS * LIVENESS_HEARTBEATS * 1000;

/** Fetches what a region shows to the user of this page: one request at a time, and once more if it has changed meanwhile. */
export class RegionFetch {
  #address;
  #show;
  #environment;
  #timer;
  #tries = 0;
  #isFetching = false;
  #isDue = false;
  #hasStopped = false;

  /**
   * @param {string} address
   * @param {(html: string) => void} show
   */
  constructor(address, show, env = environment) {
    this.#address = new URL(address, location.href);
    this.#show = show;
    this.#environment = env;
    this.#timer = new Timer(env);
  }

  /**
   * Fetch after a random delay, because the other pages do so, too.
   *
   * @param {number} spread milliseconds
   */
  update(spread) {
    if (this.#isFetching) this.#isDue = true;
    else if (!this.#timer.isPending) this.#fetchAfter(this.#environment.random() * spread);
  }

  stop() {
    this.#hasStopped = true;
    this.#timer.stop();
  }

  /** @param {number} delay milliseconds */
  #fetchAfter(delay) {
    this.#timer.start(delay, () => this.#fetch());
  }

  async #fetch() {
    this.#isFetching = true;
    this.#isDue = false;
    const answer = await this.#ask();
    this.#isFetching = false;
    if (this.#hasStopped) return;
    if (answer.html === undefined) return this.#retry(answer);
    this.#tries = 0;
    this.#show(answer.html);
    if (this.#isDue) this.#fetchAfter(0);
  }

  /** @param {Answer} answer */
  #retry(answer) {
    const { final, delay, tries } = decide({ ...answer, tries: this.#tries });
    this.#tries = tries;
    if (final) console.warn(`sse: ${this.#address.pathname} answered ${answer.status}, so its region stays as it was`);
    else this.#fetchAfter(delay);
  }

  /** @returns {Promise<Answer>} */
  async #ask() {
    if (this.#address.origin !== location.origin) return { status: 403 }; // its HTML would be this page's
    try {
      const headers = { Accept: "text/html", "HX-Request": "true", [TAB_HEADER]: tabId };
      const options = /** @type {const} */ ({ headers, cache: "no-store", signal: AbortSignal.timeout(TIMEOUT_MS) });
      const response = await this.#environment.fetch(this.#address.href, options);
      const { status, ok, redirected } = response;
      const isHtml = response.headers.get("Content-Type")?.startsWith("text/html");
      if (!ok || redirected || !isHtml) return { status, retryAfter: response.headers.get("Retry-After") };
      return { status, html: await readText(response) };
    } catch (error) {
      return { status: error instanceof TooLargeError ? 413 : 0 };
    }
  }
}
