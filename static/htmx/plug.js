import { MessageQueue } from "../page/message-queue.js";
import { PageSource } from "../page/page-source.js";
import { sources } from "../page/sources.js";
import { CURSOR_ATTRIBUTE } from "../protocol.js";

/**
 * Put our source under htmx 2's extension. It connects, and listens, while an element is processed, which the event before
 * tells. An element that is processed again keeps its source, and its earlier listeners give way to the new ones.
 *
 * @param {any} htmx
 */
export function plugUnder2(htmx) {
  /** @type {Element | null} */
  let processed = null;
  document.addEventListener("htmx:afterProcessNode", ({ target }) => {
    processed = target instanceof Element ? target : null;
    if (processed) forgetListeners(processed);
  });
  /** @param {string} url */
  htmx.createEventSource = (url) => {
    const known = processed && sourceOf(processed);
    if (known) known.follow(url);
    return known ?? newSource(url, processed, () => processed);
  };
}

/** @param {Element} element */
function sourceOf(element) {
  return [...sources].find((source) => source.element === element);
}

/**
 * Listeners by the element for which they were added, so that they can be removed when it is processed again.
 *
 * @type {WeakMap<Element, (() => void)[]>}
 */
const listeners = new WeakMap();

/** @param {Element} element */
function forgetListeners(element) {
  for (const remove of listeners.get(element) ?? []) remove();
  listeners.delete(element);
}

/**
 * @param {string} url
 * @param {Element | null} element
 * @param {() => Element | null} processed
 */
function newSource(url, element, processed) {
  const source = new PageSource(url, element);
  // The extension begins anew with a source that reports an error; this one reconnects by itself, and resumes.
  Object.defineProperty(source, "onerror", { get: () => null, set: () => {} });
  const add = source.addEventListener.bind(source);
  source.addEventListener = (/** @type {string} */ type, /** @type {any} */ listener) => {
    const owner = processed();
    add(type, listener);
    if (!owner) return;
    const removals = listeners.get(owner) ?? [];
    listeners.set(owner, [...removals, () => source.removeEventListener(type, listener)]);
  };
  return source;
}

/**
 * Put our source under htmx 4's extension: its request is answered with a response that never ends, written from what
 * the source brings, through all its reconnections. An element that is processed twice before the extension knows of the
 * first request sends a second one, which is not needed.
 *
 * @param {any} htmx
 */
export function plugUnder4(htmx) {
  const named = (/** @type {string} */ name) => name.replaceAll(":", htmx.config.metaCharacter || ":");
  const connect = named("hx-sse:connect");
  htmx.config.sse = { ...htmx.config.sse, reconnect: false, pauseOnBackground: false };
  document.addEventListener(named("htmx:before:request"), (event) => {
    const { ctx } = /** @type {CustomEvent} */ (event).detail;
    const url = ctx.sourceElement?.getAttribute?.(connect);
    if (url === null || url === undefined || !sameAddress(url, ctx.request.action)) return;
    if (sourceOf(ctx.sourceElement)) event.preventDefault();
    else ctx.fetch = () => Promise.resolve(endlessResponse(url, ctx.sourceElement, ctx.request.signal));
  });
}

/**
 * @param {string} one
 * @param {string} other
 */
function sameAddress(one, other) {
  return new URL(one, document.baseURI).href === new URL(other, document.baseURI).href;
}

/**
 * @param {string} url
 * @param {Element} element
 * @param {AbortSignal} signal
 */
function endlessResponse(url, element, signal) {
  const source = new PageSource(url, element);
  signal.addEventListener("abort", () => source.close(), { once: true });
  const body = new ReadableStream(framesOf(source), { highWaterMark: 0 });
  return new Response(body, { headers: { "Content-Type": "text/event-stream" } });
}

/**
 * The messages of a source, one by one: htmx asks for the next when it has swapped the one before.
 *
 * @param {PageSource} source
 * @returns {UnderlyingDefaultSource<Uint8Array>}
 */
function framesOf(source) {
  const encoder = new TextEncoder();
  const queue = new MessageQueue();
  source.queue = queue;
  return {
    async pull(controller) {
      if (queue.taken) source.mark(queue.taken);
      const message = await queue.take();
      const isInLog = message.channel || !source.element?.hasAttribute(CURSOR_ATTRIBUTE);
      controller.enqueue(encoder.encode(frame(message, isInLog ? message.lastEventId : "")));
    },
    cancel: () => source.close(),
  };
}

/**
 * @param {MessageEvent} message
 * @param {string} id its own, not that of an earlier one
 */
function frame({ type, data }, id) {
  const name = type === "message" ? "" : `event: ${type}\n`;
  return `id: ${id}\n${name}data: ${data.replaceAll("\n", "\ndata: ")}\n\n`;
}
