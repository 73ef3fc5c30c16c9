/**
 * @typedef {object} StreamEvent
 * @property {string} type
 * @property {string} data
 * @property {string} lastEventId
 * @property {string} channel the kit's own field; "" without one
 * @property {string[]} [exclude] tabs that are to leave it out
 * @property {string[]} [only] tabs that alone are to show it
 */

/**
 * @typedef {object} ParserCallbacks
 * @property {(event: StreamEvent) => void} [onEvent]
 * @property {(text: string) => void} [onComment] a comment, without its colon and one space
 * @property {(milliseconds: number) => void} [onRetry]
 * @property {(id: string) => void} [onId] a new last event id, before its event, and also when there is no data
 */

const LINE_END = /\r\n?|\n/;
const DIGITS = /^\d+$/;

/**
 * Bytes to events, as WHATWG HTML "9.2.6 Interpreting an event stream" says. One parser reads one stream.
 *
 * Only what is new is searched for line ends, so that a long line in many chunks costs its length once.
 */
export class EventStreamParser {
  #decoder = new TextDecoder();
  #callbacks;
  #partial = "";
  #endedInCR = false;

  /** @type {string[]} */
  #data = [];
  #type = "";
  #channel = "";
  /** @type {Pick<StreamEvent, "exclude" | "only">} */
  #tabs = {};
  #id;
  #lastEventId;

  /**
   * @param {ParserCallbacks} callbacks
   * @param {string} [lastEventId] what an earlier stream of the same source ended with
   */
  constructor(callbacks, lastEventId = "") {
    this.#callbacks = callbacks;
    this.#id = this.#lastEventId = lastEventId;
  }

  /** @param {Uint8Array} bytes the stream's next ones, cut anywhere */
  feed(bytes) {
    let text = this.#decoder.decode(bytes, { stream: true });
    if (text === "") return;
    if (this.#endedInCR && text.startsWith("\n")) text = text.slice(1);
    this.#endedInCR = text.endsWith("\r");
    const lines = text.split(LINE_END);
    lines[0] = this.#partial + lines[0];
    this.#partial = lines.pop() ?? "";
    for (const line of lines) this.#line(line);
  }

  /** @param {string} line */
  #line(line) {
    if (line === "") return this.#dispatch();
    const colon = line.indexOf(":");
    if (colon === -1) return this.#field(line, "");
    const value = line.slice(line[colon + 1] === " " ? colon + 2 : colon + 1);
    if (colon === 0) this.#callbacks.onComment?.(value);
    else this.#field(line.slice(0, colon), value);
  }

  /**
   * @param {string} name
   * @param {string} value
   */
  #field(name, value) {
    if (name === "data") this.#data.push(value);
    else if (name === "event") this.#type = value;
    else if (name === "channel") this.#channel = value;
    else if (name === "exclude" || name === "only") this.#tabs[name] = value.split(" ");
    else if (name === "id" && !value.includes("\0")) this.#id = value;
    else if (name === "retry" && DIGITS.test(value)) this.#callbacks.onRetry?.(Number(value));
  }

  #dispatch() {
    const event = {
      type: this.#type || "message",
      data: this.#data.join("\n"),
      lastEventId: this.#id,
      channel: this.#channel,
      ...this.#tabs,
    };
    const hasData = this.#data.length > 0;
    this.#data = [];
    this.#tabs = {};
    this.#type = this.#channel = "";
    this.#commitId();
    if (hasData) this.#callbacks.onEvent?.(event);
  }

  #commitId() {
    if (this.#id === this.#lastEventId) return;
    this.#lastEventId = this.#id;
    this.#callbacks.onId?.(this.#id);
  }
}
