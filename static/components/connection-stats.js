import { dom } from "../dom.js";
import { environment } from "../environment.js";
import { connectedSources, pageState } from "../page/page-state.js";
import { AGO_ATTRIBUTE, NEVER_ATTRIBUTE, STAT_ATTRIBUTE, STATE_EVENT } from "../protocol.js";
import { Timer } from "../timer.js";

const SECOND = 1_000;
const LOST = ["reconnecting", "offline"];

/** Shows the numbers of this page. The monitor shows those of the server. */
export class ConnectionStats {
  #element;
  #environment;
  #clock;
  #listeners = new AbortController();
  #reconnects = 0;
  #wasLive = false;
  #isLost = false;

  /** @param {HTMLElement} element */
  constructor(element, env = environment) {
    this.#element = element;
    this.#environment = env;
    this.#clock = new Timer(env);
  }

  attach() {
    dom(document).addEventListener(STATE_EVENT, () => this.#count(), { signal: this.#listeners.signal });
    this.#clock.repeat(SECOND, () => this.#show());
    this.#count();
  }

  detach() {
    this.#listeners.abort();
    this.#clock.stop();
  }

  /** Count the losses that ended in a new connection. A page that heals changes its connection, but has not lost it. */
  #count() {
    const state = pageState();
    const isLive = state === "live";
    if (this.#wasLive && LOST.includes(state)) this.#isLost = true;
    if (this.#isLost && isLive) this.#reconnects += 1;
    this.#isLost &&= !isLive;
    this.#wasLive = isLive;
    this.#show();
  }

  #show() {
    const state = pageState();
    this.#setText("state", this.#element.getAttribute(`data-${state}`) ?? state);
    this.#setText("heard", this.#heard());
    this.#setText("reconnects", String(this.#reconnects));
  }

  #heard() {
    const heardAt = Math.max(0, ...connectedSources().map((source) => source.heardAt));
    if (heardAt === 0) return this.#element.getAttribute(NEVER_ATTRIBUTE) ?? "";
    const seconds = Math.max(0, Math.round((this.#environment.now() - heardAt) / SECOND));
    return (this.#element.getAttribute(AGO_ATTRIBUTE) ?? "").replace("{}", String(seconds));
  }

  /**
   * @param {string} name
   * @param {string} text
   */
  #setText(name, text) {
    const place = this.#element.querySelector(`[${STAT_ATTRIBUTE}="${name}"]`);
    if (place && place.textContent !== text) place.textContent = text;
  }
}
