import { environment } from "../environment.js";
import { SYNCED_ATTRIBUTE } from "../protocol.js";
import { Timer } from "../timer.js";
import { crosstab, mayShow } from "./crosstab.js";
import { readDefault, readField, writeField } from "./synced-field.js";

// After this long without typing, a change from another tab may show. Milliseconds.
const QUIET_MS = 1_000;
// Set by synced-early.js on a field that was edited or reset before this module was loaded.
const TYPED_ATTRIBUTE = "data-sse-typed";

/**
 * Keeps a field the same in all tabs of the browser. What is typed here is newer than what other tabs have. What comes from
 * another tab while somebody types waits for a pause, and then shows if it is still the newest.
 */
export class SyncedByBrowser {
  #field;
  #key;
  #tabs;
  #environment;
  #timer;
  #quietAt = 0;
  #listeners = new AbortController();
  #unsubscribe = () => {};

  /** @param {HTMLElement} element */
  constructor(element, env = environment, tabs = crosstab()) {
    this.#field = /** @type {import("./synced-field.js").Field} */ (element);
    this.#key = element.getAttribute(SYNCED_ATTRIBUTE) ?? "";
    this.#tabs = tabs;
    this.#environment = env;
    this.#timer = new Timer(env);
  }

  attach() {
    const { signal } = this.#listeners;
    if (this.#field.hasAttribute(TYPED_ATTRIBUTE)) this.#onInput();
    else this.#show();
    this.#unsubscribe = this.#tabs.subscribe(this.#key, () => this.#show());
    this.#field.addEventListener("input", () => this.#onInput(), { signal });
    this.#field.form?.addEventListener("reset", () => this.#onReset(), { signal });
  }

  detach() {
    this.#unsubscribe();
    this.#listeners.abort();
    this.#timer.stop();
  }

  #show() {
    this.#timer.stop();
    if (!mayShow(this.#key)) return;
    const wait = this.#quietAt - this.#environment.now();
    if (wait > 0) this.#timer.start(wait, () => this.#show());
    else writeField(this.#field, this.#tabs.get(this.#key) ?? readField(this.#field));
  }

  #onInput() {
    this.#quietAt = this.#environment.now() + QUIET_MS;
    this.#set(readField(this.#field));
  }

  #onReset() {
    this.#quietAt = 0;
    this.#set(readDefault(this.#field));
  }

  /** @param {string} value */
  #set(value) {
    this.#field.removeAttribute(TYPED_ATTRIBUTE);
    this.#tabs.set(this.#key, value);
  }
}
