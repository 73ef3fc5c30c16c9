import { dom } from "../dom.js";
import { environment } from "../environment.js";
import { healNow } from "../page/heal.js";
import { connectedSources, pageState } from "../page/page-state.js";
import { readText } from "../page/read-text.js";
import { RELOAD_ATTRIBUTE, SESSION_GUARD_ATTRIBUTE, STATE_EVENT, WHEN_ATTRIBUTE, WHO_ATTRIBUTE } from "../protocol.js";
import { currentSession, onSession, setSession } from "./session.js";

const DENIED = "denied";
const SIGNED_OUT = "signedOut";
const CHANGED = "changed";

/**
 * Shows a dialog while the browser's session is not that of the user for whom the page was rendered. Other tabs report the
 * user; when the server refuses a stream, the guard asks the server.
 */
export class SessionGuard {
  #dialog;
  #user;
  #listeners = new AbortController();
  #unsubscribe = () => {};
  /** Whose session the dialog has reported. @type {string | null} */
  #reported = null;
  #isAsking = false;

  /** @param {HTMLElement} element */
  constructor(element) {
    this.#dialog = /** @type {HTMLDialogElement} */ (element);
    this.#user = element.getAttribute(WHO_ATTRIBUTE) ?? "";
  }

  attach() {
    if (!this.#user) return;
    const { signal } = this.#listeners;
    this.#unsubscribe = onSession((mark, isOurs) => this.#onSession(mark, isOurs));
    dom(document).addEventListener(STATE_EVENT, (event) => this.#onState(event), { signal });
    const reload = this.#dialog.querySelector(`[${RELOAD_ATTRIBUTE}]`);
    reload?.addEventListener("click", () => location.reload(), { signal });

    if (currentSession() === undefined) setSession(this.#user);
    // The page may be an old copy from the history, so it proves nothing.
    if (currentSession() !== this.#user || pageState() === DENIED || isRenewing()) this.#askServer();
  }

  detach() {
    this.#listeners.abort();
    this.#unsubscribe();
  }

  /**
   * @param {string} mark
   * @param {boolean} isOurs
   */
  #onSession(mark, isOurs) {
    if (!isOurs || mark === this.#user) this.#show(mark);
  }

  /** @param {Event} event */
  #onState(event) {
    if (/** @type {CustomEvent} */ (event).detail.state === DENIED) this.#askServer();
  }

  /** @param {string} mark */
  #show(mark) {
    if (mark === this.#user) return this.#hide();
    if (mark === this.#reported) return;
    this.#reported = mark;
    const kind = mark === "" ? SIGNED_OUT : CHANGED;
    for (const part of this.#dialog.querySelectorAll(`[${WHEN_ATTRIBUTE}]`))
      part.toggleAttribute("hidden", part.getAttribute(WHEN_ATTRIBUTE) !== kind);
    const heading = this.#dialog.querySelector(`[${WHEN_ATTRIBUTE}="${kind}"]`);
    this.#dialog.setAttribute("aria-labelledby", heading?.id ?? "");
    if (!this.#dialog.open) this.#dialog.showModal();
  }

  /** Hide the dialog, and let what the server has refused meanwhile connect again. */
  #hide() {
    this.#reported = null;
    this.#dialog.close();
    const denied = connectedSources().filter(({ state }) => state === DENIED);
    for (const source of denied) source.hold();
    if (denied.length > 0) healNow();
  }

  async #askServer() {
    if (this.#isAsking) return;
    this.#isAsking = true;
    const mark = await fetchSession();
    this.#isAsking = false;
    if (mark === null || this.#listeners.signal.aborted) return;
    setSession(mark);
    if (mark !== this.#user) this.#show(mark);
  }
}

/** Tell whether the page is being fetched again because the server has refused its grants, before this module was there. */
function isRenewing() {
  return connectedSources().some((source) => source.isRenewing);
}

/**
 * Ask the server whose session it is, by fetching this page. A redirect is not followed: it leads to where one signs in, perhaps
 * on another origin.
 *
 * @returns {Promise<string | null>} the mark of a user; "" for nobody; null without an answer
 */
async function fetchSession() {
  try {
    const options = { headers: { Accept: "text/html" }, cache: "no-store", redirect: "manual" };
    const response = await environment.fetch(location.href, /** @type {RequestInit} */ (options));
    if (response.type === "opaqueredirect" || response.status === 401 || response.status === 403) return "";
    if (!response.ok) return null;
    const fresh = new DOMParser().parseFromString(await readText(response), "text/html");
    return fresh.querySelector(`[${SESSION_GUARD_ATTRIBUTE}]`)?.getAttribute(WHO_ATTRIBUTE) ?? "";
  } catch {
    return null; // without a network the page stays as it is
  }
}
