import { environment } from "../environment.js";
import { BEFORE_REQUEST_EVENTS, END_OF_REQUEST_EVENTS, FAILED_REQUEST_EVENTS } from "../htmx/names.js";
import { Timer } from "../timer.js";
import { readDefault, readField, writeField } from "./synced-field.js";

// How long the server may take to get what was typed, and to publish it. Milliseconds.
const SEND_MS = 30_000;
const PUBLISH_MS = 1_000;

/**
 * Keeps a field in sync with the server: each message is a `data` element beside the field. Text that is typed here stays until
 * the server has published it, too; values that the server published before that are out of date.
 */
export class SyncedByServer {
  #element;
  #field;
  #timer;
  #listeners = new AbortController();
  #observer = new MutationObserver((records) => this.#onMutation(records));
  /** What was typed and not published yet. @type {string | null} */
  #typed = null;
  /** What was published meanwhile. @type {string | null} */
  #held = null;

  /** @param {HTMLElement} element that contains the field and the `data` element */
  constructor(element, env = environment) {
    this.#element = element;
    this.#field = /** @type {import("./synced-field.js").Field} */ (element.querySelector("input, textarea"));
    this.#timer = new Timer(env);
  }

  attach() {
    const field = this.#field;
    this.#listen(["input"], () => this.#onInput());
    this.#listen(BEFORE_REQUEST_EVENTS, () => this.#settleWithin(SEND_MS));
    this.#listen(END_OF_REQUEST_EVENTS, () => this.#settleWithin(PUBLISH_MS));
    // What could not be sent stays, until somebody sends something else.
    this.#listen(FAILED_REQUEST_EVENTS, () => {
      this.#held = null;
    });
    const wasTypedBefore = readField(field) !== readDefault(field);
    if (wasTypedBefore) this.#onInput();
    this.#receive(this.#element.querySelector("data")?.value ?? readDefault(field));
    this.#observer.observe(this.#element, { childList: true, subtree: true, attributeFilter: ["value"] });
  }

  detach() {
    this.#observer.disconnect();
    this.#listeners.abort();
    this.#timer.stop();
  }

  /**
   * @param {string[]} names
   * @param {() => void} listener
   */
  #listen(names, listener) {
    for (const name of names) this.#field.addEventListener(name, listener, { signal: this.#listeners.signal });
  }

  /** @param {MutationRecord[]} records */
  #onMutation(records) {
    const nodes = records.flatMap(({ target, addedNodes }) => [target, ...addedNodes]);
    for (const node of nodes) if (node instanceof HTMLDataElement) this.#receive(node.value);
  }

  /** @param {string} published */
  #receive(published) {
    if (this.#typed === null) return writeField(this.#field, published);
    this.#held = published;
    if (published === this.#typed) this.#settle();
  }

  #onInput() {
    this.#typed = readField(this.#field);
    this.#settleWithin(SEND_MS);
  }

  /** @param {number} milliseconds */
  #settleWithin(milliseconds) {
    this.#timer.stop();
    if (this.#typed !== null) this.#timer.start(milliseconds, () => this.#settle());
  }

  /** Show what was published last. */
  #settle() {
    this.#timer.stop();
    if (this.#held !== null) writeField(this.#field, this.#held);
    this.#typed = this.#held = null;
  }
}
