import { dom } from "../dom.js";
import { MessageQueue } from "../page/message-queue.js";
import { PageSource } from "../page/page-source.js";
import { CURSOR_ATTRIBUTE } from "../protocol.js";
import { closingEvent } from "./lifecycle.js";

/** @typedef {import("../stream/parser.js").StreamEvent} StreamEvent */

/**
 * @typedef {object} Announcer who says what happens to the stream
 * @property {(source: PageSource) => void} opened
 * @property {(source: PageSource, loss: import("../stream/connection-state.js").Loss) => void} lost
 */

/**
 * The body of a response that never ends: the events of a source, through all its reconnects. htmx 4's extension reads such a
 * response instead of connecting by itself, and takes the next event when it has swapped the one before.
 *
 * @implements {UnderlyingDefaultSource<Uint8Array>}
 */
export class EndlessResponse {
  #encoder = new TextEncoder();
  #queue = new MessageQueue();
  #source;

  /**
   * @param {string} url
   * @param {Element} element
   * @param {AbortSignal} signal
   * @param {Announcer} announcer
   */
  static open(url, element, signal, announcer) {
    const stream = new ReadableStream(new EndlessResponse(url, element, signal, announcer), { highWaterMark: 0 });
    return new Response(stream, { headers: { "Content-Type": "text/event-stream" } });
  }

  /**
   * @param {string} url
   * @param {Element} element
   * @param {AbortSignal} signal
   * @param {Announcer} announcer
   */
  constructor(url, element, signal, announcer) {
    this.#source = new PageSource(url, element, {
      onOpen: () => announcer.opened(this.#source),
      onLoss: (loss) => announcer.lost(this.#source, loss),
      onEvent: (event) => this.#queue.push(event),
      onResume: () => this.#queue.dropLogged(),
    });
    dom(signal).addEventListener("abort", () => this.#source.close(), { once: true });
  }

  /** @param {ReadableStreamDefaultController<Uint8Array>} controller */
  async pull(controller) {
    if (this.#queue.taken) this.#source.markApplied(this.#queue.taken);
    const event = await this.#queue.take();
    controller.enqueue(this.#encoder.encode(this.#frame(event)));
  }

  cancel() {
    const { element } = this.#source;
    if (this.#queue.taken && this.#queue.taken.type === closingEvent(element)) this.#source.end();
    else this.#source.close();
  }

  /**
   * An event that is not in the log has no id here, though `lastEventId` repeats that of an earlier one.
   *
   * @param {StreamEvent} event
   */
  #frame({ type, data, channel, lastEventId }) {
    const hasOwnId = channel || !this.#source.element?.hasAttribute(CURSOR_ATTRIBUTE);
    const name = type === "message" ? "" : `event: ${type}\n`;
    return `id: ${hasOwnId ? lastEventId : ""}\n${name}data: ${data.replaceAll("\n", "\ndata: ")}\n\n`;
  }
}
