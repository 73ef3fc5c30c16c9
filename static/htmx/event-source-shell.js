import { dom } from "../dom.js";
import { PageSource } from "../page/page-source.js";
import { sources } from "../page/sources.js";
import { closingEvent, fireHtmx2 } from "./lifecycle.js";

/** @typedef {import("../stream/parser.js").StreamEvent} StreamEvent */

/** @type {WeakMap<PageSource, EventSourceShell>} */
const shells = new WeakMap();

/**
 * What htmx 2's extension gets instead of an `EventSource`. It turns the events of a source into `MessageEvent`s, which also
 * have `channel`, `exclude` and `only`.
 */
export class EventSourceShell extends EventTarget {
  /** @type {((event: any) => void) | null} */
  onopen = null;
  /** @type {((event: any) => void) | null} */
  onmessage = null;
  #source;
  #onListen;
  /** The name of the event that is being applied. */
  #applying = "";

  /**
   * Return the shell of an element, if it is open.
   *
   * @param {Element} element
   */
  static of(element) {
    const source = [...sources].find((source) => source.element === element);
    return source && shells.get(source);
  }

  /**
   * @param {string} url
   * @param {Element | null} element
   * @param {(remove: () => void) => void} onListen called for each listener that is added, with what removes it
   */
  constructor(url, element, onListen) {
    super();
    this.#onListen = onListen;
    this.#source = new PageSource(url, element, {
      onOpen: () => this.#open(),
      onLoss: (loss) => this.#lose(loss),
      onEvent: (event) => this.#apply(event),
      onReset: (event) => this.dispatchEvent(this.#toMessageEvent(event)),
    });
    shells.set(this.#source, this);
  }

  get url() {
    return this.#source.url;
  }

  get readyState() {
    return this.#source.readyState;
  }

  get withCredentials() {
    return this.#source.withCredentials;
  }

  /** The extension would replace a source that reports an error to it; this one reconnects and fires `htmx:sseError` itself. */
  get onerror() {
    return null;
  }

  set onerror(_) {}

  close() {
    if (this.#applying && this.#applying === closingEvent(this.#source.element)) this.#source.end();
    else this.#source.close();
  }

  /** @param {string} url the address that the element has now */
  follow(url) {
    this.#source.follow(url);
  }

  /**
   * @override
   * @param {string} type
   * @param {any} listener
   * @param {boolean | AddEventListenerOptions} [options]
   */
  addEventListener(type, listener, options) {
    super.addEventListener(type, listener, options);
    this.#onListen(() => this.removeEventListener(type, listener, options));
  }

  #open() {
    const event = new Event("open");
    this.onopen?.(event);
    this.dispatchEvent(event);
  }

  /** @param {StreamEvent} event */
  #apply(event) {
    const message = this.#toMessageEvent(event);
    this.#applying = message.type;
    if (message.type === "message") this.onmessage?.(message);
    this.dispatchEvent(message);
    this.#applying = "";
    this.#source.markApplied(event);
  }

  /** @param {import("../stream/connection-state.js").Loss} loss */
  #lose(loss) {
    const { element } = this.#source;
    const { error: cause, ...details } = loss;
    // Not as `error`: htmx writes an event's `error` to the console when an element swaps the event `error`.
    const error = Object.assign(new Event("error"), details, { cause });
    this.dispatchEvent(error);
    fireHtmx2(element, "htmx:sseError", { error, source: this });
    if (dom(element)?.isConnected !== false) return;
    fireHtmx2(element, "htmx:sseClose", { source: this, type: "nodeMissing" });
    this.close();
  }

  /** @param {StreamEvent} event */
  #toMessageEvent({ type, data, lastEventId, channel, exclude, only }) {
    const message = new MessageEvent(type, { data, lastEventId, origin: this.#source.origin });
    return Object.assign(message, { channel, exclude, only });
  }
}

/** What htmx 2's extension gets for an element whose stream has been closed for good. */
export class EndedSource extends EventTarget {
  onopen = null;
  onerror = null;
  readyState = 2;
  withCredentials = true;

  /** @param {string} url */
  constructor(url) {
    super();
    this.url = url;
  }

  close() {}
}
