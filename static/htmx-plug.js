import { PageSource, sources } from "./page-source.js";

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
    const known = [...sources].find((source) => source.element && source.element === processed);
    if (known) known.follow(url);
    return known ?? newSource(url, processed, () => processed);
  };
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
 * the source brings, through all its reconnections.
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
    if (url !== null && url !== undefined && sameAddress(url, ctx.request.action)) {
      ctx.fetch = () => Promise.resolve(endlessResponse(url, ctx.sourceElement, ctx.request.signal));
    }
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
  const encoder = new TextEncoder();
  const body = new ReadableStream({
    start(controller) {
      source.onany = (event) => controller.enqueue(encoder.encode(frame(event)));
      signal.addEventListener("abort", () => source.close(), { once: true });
    },
    cancel: () => source.close(),
  });
  return new Response(body, { headers: { "Content-Type": "text/event-stream" } });
}

/** @param {MessageEvent} event */
function frame({ type, data, lastEventId }) {
  const name = type === "message" ? "" : `event: ${type}\n`;
  const id = lastEventId ? `id: ${lastEventId}\n` : "";
  return `${id}${name}data: ${data.replaceAll("\n", "\ndata: ")}\n\n`;
}
