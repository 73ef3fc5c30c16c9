import { healNow } from "../page/heal.js";
import { connectedSources, pageState } from "../page/page-state.js";
import { STATE_EVENT } from "../protocol.js";
import { onWhose, sayWhose, whose } from "./session.js";

const GUARD = "[data-sse-session-guard]";
// A way to say it that a handler has, too, by the header `HX-Trigger`.
const SIGN_OUT_EVENT = "sse:sign-out";
const DENIED = "denied";

/**
 * Show a dialog when the browser's session is no longer that of the user for whom the page was made, and take it away when
 * it is again. Other tabs say so; and when the server refuses a stream, it is asked for this page once more.
 *
 * @param {HTMLElement} element
 */
export function attach(element) {
  const dialog = /** @type {HTMLDialogElement} */ (element);
  const own = dialog.dataset.sseWho ?? "";
  if (!own) return;
  const stop = new AbortController();
  const { signal } = stop;
  /** Whose session the reader knows it to be. @type {string | null} */
  let known = null;
  let isAsking = false;

  /** @param {string} mark */
  function show(mark) {
    if (mark === own) return goOn();
    if (mark === known) return;
    known = mark;
    const kind = mark === "" ? "signedOut" : "changed";
    for (const part of dialog.querySelectorAll("[data-sse-when]"))
      part.toggleAttribute("hidden", part.getAttribute("data-sse-when") !== kind);
    const heading = dialog.querySelector(`[data-sse-when="${kind}"]`);
    dialog.setAttribute("aria-labelledby", heading?.id ?? "");
    if (!dialog.open) dialog.showModal();
  }

  function goOn() {
    known = null;
    dialog.close();
    const refused = connectedSources().filter(({ state }) => state === DENIED);
    for (const source of refused) source.hold();
    if (refused.length > 0) healNow();
  }

  async function ask() {
    if (isAsking) return;
    isAsking = true;
    const mark = await present();
    isAsking = false;
    if (mark === null || signal.aborted) return;
    sayWhose(mark);
    if (mark !== own) show(mark);
  }

  const unsubscribe = onWhose((mark, isOurs) => {
    if (!isOurs || mark === own) show(mark);
  });
  document.addEventListener(
    STATE_EVENT,
    (event) => {
      if (/** @type {CustomEvent} */ (event).detail.state === DENIED) ask();
    },
    { signal },
  );
  document.addEventListener(SIGN_OUT_EVENT, () => sayWhose(""), { signal });
  dialog.querySelector("[data-sse-reload]")?.addEventListener("click", () => location.reload(), { signal });

  if (whose() === undefined) sayWhose(own);
  // This may be an old copy of the page, so it is no proof.
  if (whose() !== own || pageState() === DENIED) ask();
  return () => {
    stop.abort();
    unsubscribe();
  };
}

/**
 * Ask the server whose the session is, by this very page.
 *
 * @returns {Promise<string | null>} a mark; "" for nobody's; null if it did not say
 */
async function present() {
  try {
    const response = await fetch(location.href, { headers: { Accept: "text/html" }, cache: "no-store" });
    if (response.status === 401 || response.status === 403) return "";
    if (!response.ok) return null;
    const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
    return fresh.querySelector(GUARD)?.getAttribute("data-sse-who") ?? "";
  } catch {
    return null; // no network: whoever it is, the page goes on as it is
  }
}
