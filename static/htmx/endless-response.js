import { MessageQueue } from "../page/message-queue.js";
import { PageSource } from "../page/page-source.js";
import { CURSOR_ATTRIBUTE } from "../protocol.js";

/** @typedef {import("../stream/parser.js").StreamEvent} StreamEvent */

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
   */
  static open(url, element, signal) {
    const stream = new ReadableStream(new EndlessResponse(url, element, signal), { highWaterMark: 0 });
    return new Response(stream, { headers: { "Content-Type": "text/event-stream" } });
  }

  /**
   * @param {string} url
   * @param {Element} element
   * @param {AbortSignal} signal
   */
  constructor(url, element, signal) {
    this.#source = new PageSource(url, element, {
      onEvent: (event) => this.#queue.push(event),
      onResume: () => this.#queue.dropLogged(),
    });
    signal.addEventListener("abort", () => this.#source.close(), { once: true });
  }

  /** @param {ReadableStreamDefaultController<Uint8Array>} controller */
  async pull(controller) {
    if (this.#queue.taken) this.#source.markApplied(this.#queue.taken);
    const event = await this.#queue.take();
    controller.enqueue(this.#encoder.encode(this.#frame(event)));
  }

  cancel() {
    this.#source.close();
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
