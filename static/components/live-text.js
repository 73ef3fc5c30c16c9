import { dom } from "../dom.js";
import { environment } from "../environment.js";
import { LABEL_ATTRIBUTE, LIVE_TEXT_ATTRIBUTE, PAUSE_ATTRIBUTE } from "../protocol.js";
import { Timer } from "../timer.js";

// The longest announcement, in characters.
const MAX_LENGTH = 1_000;

/**
 * Announces an element's text to screen readers: a change at once, then the latest text after a pause. The element itself is
 * no live region, which would announce every change.
 */
export class LiveText {
  #element;
  #announcer;
  #announced;
  #pause;
  #observer = new MutationObserver(() => this.#onChange());

  /** @param {HTMLElement} element */
  constructor(element, env = environment) {
    this.#element = element;
    this.#announcer = newAnnouncer(element.getAttribute(LIVE_TEXT_ATTRIBUTE) ?? "polite");
    this.#announced = element.textContent;
    this.#pause = new Timer(env);
  }

  attach() {
    placeFor(this.#element).append(this.#announcer);
    this.#observer.observe(this.#element, { childList: true, characterData: true, subtree: true });
  }

  detach() {
    this.#observer.disconnect();
    this.#pause.stop();
    this.#announcer.remove();
  }

  #onChange() {
    if (!this.#pause.isPending) this.#announce();
  }

  #announce() {
    const text = this.#element.textContent;
    if (text === this.#announced) return;
    this.#announced = text;
    if (!this.#announcer.isConnected) placeFor(this.#element).append(this.#announcer);
    const label = this.#element.getAttribute(LABEL_ATTRIBUTE);
    this.#announcer.textContent = [label, text?.slice(0, MAX_LENGTH)].filter(Boolean).join(": ");
    this.#pause.start(Number(this.#element.getAttribute(PAUSE_ATTRIBUTE)), () => this.#announce());
  }
}

/** @param {string} politeness */
function newAnnouncer(politeness) {
  const announcer = dom(document).createElement("div");
  announcer.className = "sse-announcer";
  announcer.setAttribute("aria-live", politeness);
  announcer.setAttribute("aria-atomic", "true");
  return announcer;
}

/**
 * While a modal dialog is open, only what is inside of it is announced.
 *
 * @param {Element} element
 */
function placeFor(element) {
  return element.closest("dialog") ?? dom(document).body;
}
