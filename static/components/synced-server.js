import { initial, read, write } from "./synced-field.js";

// For how long what was typed may be on its way to the server, and what is said of it on its way back, in milliseconds.
const WAY_THERE_MS = 30_000;
const WAY_BACK_MS = 1_000;
// How htmx 2, and htmx 4 with either of its ways to write names, tell of a request.
const SENT = ["htmx:beforeRequest", "htmx:before:request", "htmx-before-request"];
const ANSWERED = ["htmx:afterRequest", "htmx:finally:request", "htmx-finally-request"];
const FAILED = [
  "htmx:sendError",
  "htmx:responseError",
  "htmx:timeout",
  "htmx:error",
  "htmx-error",
  "htmx:response:error",
  "htmx-response-error",
];

/**
 * Keep a field equal to what the server says, in the order in which it does: each message is a `data` element beside the
 * field. What is typed here shows until the server has said it, too: then nothing that it has said before counts any more.
 *
 * @param {HTMLElement} element what holds both
 */
export function attach(element) {
  const field = /** @type {import("./synced-field.js").Field} */ (element.querySelector("input, textarea"));
  /** What was typed, as long as the server has not said it. @type {string | null} */
  let typed = null;
  /** What the server has said meanwhile. @type {string | null} */
  let held = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;

  /** @param {string} said */
  function hear(said) {
    if (typed === null) return write(field, said);
    held = said;
    if (said === typed) settle();
  }

  /** Show what the server has said last. */
  function settle() {
    clearTimeout(timer);
    if (held !== null) write(field, held);
    typed = held = null;
  }

  /** @param {number} milliseconds */
  function wait(milliseconds) {
    clearTimeout(timer);
    if (typed !== null) timer = setTimeout(settle, milliseconds);
  }

  function input() {
    typed = read(field);
    wait(WAY_THERE_MS);
  }

  function forget() {
    held = null; // what could not be sent stays, until somebody sends something else
  }

  const observer = new MutationObserver((records) => {
    for (const { target, addedNodes } of records)
      for (const node of [target, ...addedNodes]) if (node instanceof HTMLDataElement) hear(node.value);
  });
  const stop = new AbortController();
  const on = (/** @type {string[]} */ names, /** @type {() => void} */ listener) => {
    for (const name of names) field.addEventListener(name, listener, { signal: stop.signal });
  };
  on(["input"], input);
  on(SENT, () => wait(WAY_THERE_MS));
  on(ANSWERED, () => wait(WAY_BACK_MS));
  on(FAILED, forget);
  if (read(field) !== initial(field)) input(); // somebody was faster than this module
  hear(element.querySelector("data")?.value ?? initial(field));
  observer.observe(element, { childList: true, subtree: true, attributeFilter: ["value"] });
  return () => {
    observer.disconnect();
    stop.abort();
    clearTimeout(timer);
  };
}
