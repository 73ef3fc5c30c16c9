import { environment } from "../environment.js";
import { LEVEL_ATTRIBUTE, LOG_TAIL_ATTRIBUTE } from "../protocol.js";

/** A log is at its end when it is scrolled this close to it, in pixels. */
const NEAR_PX = 8;
/** Screen readers announce new lines unless more than these come within CALM_MS. */
const FEW = 5;
const CALM_MS = 1_000;
const LEVELS = ["debug", "info", "warning", "error", "critical"];

/**
 * Keeps a log at its end and its lines within the maximum. When the reader has scrolled up, a button leads back to the end. Two
 * fields filter the lines.
 */
export class LogTail {
  #element;
  #environment;
  #region;
  #lines;
  #button;
  #followsEnd = true;
  /** `scrollTop` after the last scroll. */
  #scrollTop = 0;
  #newLines = 0;
  #known;
  /** Lines that came within the last CALM_MS. */
  #recentLines = 0;
  #listeners = new AbortController();
  #observer = new MutationObserver((records) => this.#update(records));
  #resizeObserver = new ResizeObserver(() => this.#updatePlace());

  /** @param {HTMLElement} element */
  constructor(element, env = environment) {
    this.#element = element;
    this.#environment = env;
    this.#region = find(element, ".sse-log-lines", HTMLElement);
    this.#button = find(element, ".sse-log-new", HTMLButtonElement);
    this.#lines = this.#region.getElementsByClassName("sse-log-line");
    this.#known = new WeakSet(this.#lines);
  }

  attach() {
    const { signal } = this.#listeners;
    this.#region.addEventListener("scroll", () => this.#onScroll(), { signal, passive: true });
    this.#button.addEventListener("click", () => this.#goToEnd(), { signal });
    this.#element.addEventListener("input", () => this.#onInput(), { signal });
    this.#observer.observe(this.#region, { childList: true, subtree: true, attributeFilter: ["hidden"] });
    this.#resizeObserver.observe(this.#region);
    this.#filter(this.#lines);
    this.#updatePlace();
  }

  detach() {
    this.#listeners.abort();
    this.#observer.disconnect();
    this.#resizeObserver.disconnect();
  }

  /** @param {MutationRecord[]} records */
  #update(records) {
    const changed = changedLines(records, this.#region);
    const added = this.#takeNewLines(changed);
    this.#filter(changed);
    this.#trim();
    this.#limitAnnouncements(added.length);
    if (!this.#followsEnd) this.#newLines += added.filter((line) => !line.hidden).length;
    this.#updatePlace();
  }

  /**
   * Return the lines that were not here before: a message may replace a line by the same one.
   *
   * @param {HTMLElement[]} lines
   */
  #takeNewLines(lines) {
    const added = lines.filter((line) => !this.#known.has(line));
    for (const line of added) this.#known.add(line);
    return added;
  }

  /** Remove the oldest lines without moving those that are being read. */
  #trim() {
    const surplus = this.#lines.length - Number(this.#element.getAttribute(LOG_TAIL_ATTRIBUTE));
    if (surplus <= 0) return;
    const lines = [...this.#lines].slice(0, surplus);
    if (this.#followsEnd) return removeLines(lines, this.#region); // reading heights would force a layout
    const { scrollHeight, scrollTop } = this.#region;
    removeLines(lines, this.#region);
    this.#region.scrollTop = scrollTop - (scrollHeight - this.#region.scrollHeight);
  }

  /**
   * Announce no lines while more of them come than a screen reader can speak.
   *
   * @param {number} count of new lines
   */
  #limitAnnouncements(count) {
    if (count === 0) return;
    this.#recentLines += count;
    this.#environment.setTimeout(() => {
      this.#recentLines -= count;
      if (this.#recentLines === 0) this.#region.removeAttribute("aria-live");
    }, CALM_MS);
    if (this.#recentLines > FEW) this.#region.setAttribute("aria-live", "off");
  }

  /** Only note where the reader goes: to scroll here as well would stop a scroll that has just begun. */
  #onScroll() {
    const { scrollTop, clientHeight, scrollHeight } = this.#region;
    const below = scrollHeight - clientHeight - scrollTop;
    const leavesEnd = scrollTop < this.#scrollTop && below > 1;
    this.#followsEnd = below <= NEAR_PX && !leavesEnd;
    this.#scrollTop = scrollTop;
    this.#updateButton();
  }

  #goToEnd() {
    this.#followsEnd = true;
    this.#updatePlace();
    this.#region.focus({ preventScroll: true });
  }

  #updatePlace() {
    if (this.#followsEnd) {
      this.#region.scrollTop = this.#region.scrollHeight;
      this.#scrollTop = this.#region.scrollTop;
    }
    this.#updateButton();
  }

  #updateButton() {
    if (this.#followsEnd) this.#newLines = 0;
    this.#button.hidden = this.#newLines === 0;
    const text = this.#newLines === 1 ? "1 new line" : `${this.#newLines} new lines`;
    if (!this.#button.hidden && this.#button.textContent !== text) this.#button.textContent = text;
  }

  #onInput() {
    const isFiltering = this.#filter(this.#lines);
    const output = this.#element.querySelector("output");
    if (!output) return;
    const shown = [...this.#lines].filter((line) => !line.hasAttribute("hidden")).length;
    output.value = isFiltering ? `${shown} of ${this.#lines.length}` : "";
    this.#updatePlace();
  }

  /**
   * Hide the lines that the filter leaves out.
   *
   * @param {Iterable<Element>} lines
   * @returns {boolean} whether the filter may hide anything
   */
  #filter(lines) {
    const field = this.#element.querySelector("input[type=search]");
    const select = this.#element.querySelector("select");
    const text = field instanceof HTMLInputElement ? field.value.trim().toLowerCase() : "";
    const minLevel = LEVELS.indexOf(select?.value ?? "");
    for (const line of lines) line.toggleAttribute("hidden", !matches(line, text, minLevel));
    return text !== "" || minLevel >= 0;
  }
}

/**
 * Return the lines that were added or changed, in their order.
 *
 * @param {MutationRecord[]} records
 * @param {Element} region
 */
function changedLines(records, region) {
  const nodes = records.flatMap(({ type, target, addedNodes }) => (type === "attributes" ? [target] : [...addedNodes]));
  const found = nodes.flatMap((node) => (node instanceof Element && region.contains(node) ? linesAt(node) : []));
  return /** @type {HTMLElement[]} */ ([...new Set(found)]);
}

/** @param {Element} element */
function linesAt(element) {
  const line = element.closest(".sse-log-line");
  return line ? [line] : [...element.getElementsByClassName("sse-log-line")];
}

/**
 * @param {Element[]} lines
 * @param {Element} region
 */
function removeLines(lines, region) {
  for (const line of lines) {
    const { parentElement } = line;
    line.remove();
    if (parentElement !== region && parentElement?.childElementCount === 0) parentElement.remove();
  }
}

/**
 * @param {Element} line
 * @param {string} text in lower case
 * @param {number} minLevel
 */
function matches(line, text, minLevel) {
  const level = LEVELS.indexOf(line.getAttribute(LEVEL_ATTRIBUTE) ?? "");
  return level >= minLevel && (text === "" || (line.textContent ?? "").toLowerCase().includes(text));
}

/**
 * @template {Element} T
 * @param {Element} element
 * @param {string} selector
 * @param {new () => T} kind
 */
function find(element, selector, kind) {
  const found = element.querySelector(selector);
  if (!(found instanceof kind)) throw new Error(`sse_components: there is no ${selector} in #${element.id}`);
  return found;
}
