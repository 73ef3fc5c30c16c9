/**
 * @typedef {object} StreamEvent an event as it was parsed; nothing copies it on its way to the page
 * @property {string} type
 * @property {string} data
 * @property {string} lastEventId
 * @property {string} channel "" if it has none
 * @property {string[]} [exclude] names of tabs that ignore it
 * @property {string[]} [only] names of tabs, if all others ignore it
 */

/**
 * @typedef {object} ParserCallbacks
 * @property {(event: StreamEvent) => void} [onEvent]
 * @property {(text: string) => void} [onComment] a comment, without its colon and one space
 * @property {(milliseconds: number) => void} [onRetry]
 * @property {(id: string) => void} [onId] called when the last event id changes, before its event and also without data
 */

const LINE_END = /\r\n?|\n/;
const DIGITS = /^\d+$/;

/**
 * Turns bytes into events as WHATWG HTML, "9.2.6 Interpreting an event stream", defines. One parser reads one stream.
 *
 * It searches each chunk for line ends once, so that a long line in many chunks takes linear time.
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
   * @param {string} [lastEventId] the id that an earlier stream of the same source ended with
   */
  constructor(callbacks, lastEventId = "") {
    this.#callbacks = callbacks;
    this.#id = this.#lastEventId = lastEventId;
  }

  /** @param {Uint8Array} bytes the next bytes of the stream, split anywhere */
  feed(bytes) {
    let text = this.#decoder.decode(bytes, { stream: true });
    if (text === "") return;
    if (this.#endedInCR && text.startsWith("\n")) text = text.slice(1);
    this.#endedInCR = text.endsWith("\r");
    const lines = text.split(LINE_END);
    lines[0] = this.#partial + lines[0];
    this.#partial = lines.pop() ?? "";
    for (const line of lines) this.#readLine(line);
  }

  /** @param {string} line */
  #readLine(line) {
    if (line === "") return this.#dispatch();
    const colon = line.indexOf(":");
    if (colon === -1) return this.#readField(line, "");
    const value = line.slice(line[colon + 1] === " " ? colon + 2 : colon + 1);
    if (colon === 0) this.#callbacks.onComment?.(value);
    else this.#readField(line.slice(0, colon), value);
  }

  /**
   * @param {string} name
   * @param {string} value
   */
  #readField(name, value) {
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
