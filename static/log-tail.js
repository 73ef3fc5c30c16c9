/** How near to its end, in pixels, a log is read at its end. */
const NEAR = 8;
/** Screen readers are told of new lines, if no more than these come within CALM_MS. */
const FEW = 5;
const CALM_MS = 1_000;
const LEVELS = ["debug", "info", "warning", "error", "critical"];

/**
 * Keep a log bounded and at its end, unless the reader has scrolled up; then a button leads back. Filter its lines.
 *
 * @param {HTMLElement} element with `data-sse-log-tail`: how many lines are kept
 */
export function attach(element) {
  const tail = new LogTail(element);
  return () => tail.end();
}

class LogTail {
  #element;
  #region;
  #lines;
  #button;
  #follows = true;
  /** Where it was scrolled to. */
  #place = 0;
  #news = 0;
  #known;
  /** Lines that came within the last CALM_MS. */
  #rush = 0;
  #listening = new AbortController();
  #observer = new MutationObserver((records) => this.#changed(records));
  #resized = new ResizeObserver(() => this.#keepPlace());

  /** @param {HTMLElement} element */
  constructor(element) {
    this.#element = element;
    this.#region = find(element, ".sse-log-lines", HTMLElement);
    this.#button = find(element, ".sse-log-new", HTMLButtonElement);
    this.#lines = this.#region.getElementsByClassName("sse-log-line");
    this.#known = new WeakSet(this.#lines);
    const { signal } = this.#listening;
    this.#region.addEventListener("scroll", () => this.#scrolled(), { signal, passive: true });
    this.#button.addEventListener("click", () => this.#goToEnd(), { signal });
    element.addEventListener("input", () => this.#filter(true), { signal });
    this.#observer.observe(this.#region, { childList: true, subtree: true, attributeFilter: ["hidden"] });
    this.#resized.observe(this.#region);
    this.#filter(false);
    this.#keepPlace();
  }

  end() {
    this.#listening.abort();
    this.#observer.disconnect();
    this.#resized.disconnect();
  }

  /** @param {MutationRecord[]} records */
  #changed(records) {
    const changed = changedLines(records, this.#region);
    const added = this.#added(changed);
    this.#hide(changed);
    this.#trim();
    this.#calm(added.length);
    if (!this.#follows) this.#news += added.filter((line) => !line.hidden).length;
    this.#keepPlace();
  }

  /**
   * Return the lines that were not here before; a message may bring again what stands here.
   *
   * @param {HTMLElement[]} lines
   */
  #added(lines) {
    const added = lines.filter((line) => !this.#known.has(line));
    for (const line of added) this.#known.add(line);
    return added;
  }

  /** Let the oldest lines give way, without moving what is read. */
  #trim() {
    const surplus = this.#lines.length - Number(this.#element.dataset.sseLogTail);
    if (surplus <= 0) return;
    const lines = [...this.#lines].slice(0, surplus);
    if (this.#follows) return removeLines(lines, this.#region); // to ask for heights is to have all laid out
    const { scrollHeight, scrollTop } = this.#region;
    removeLines(lines, this.#region);
    this.#region.scrollTop = scrollTop - (scrollHeight - this.#region.scrollHeight);
  }

  /**
   * Spare screen readers more than they can say.
   *
   * @param {number} count lines that have come
   */
  #calm(count) {
    if (count === 0) return;
    this.#rush += count;
    setTimeout(() => {
      this.#rush -= count;
      if (this.#rush === 0) this.#region.removeAttribute("aria-live");
    }, CALM_MS);
    if (this.#rush > FEW) this.#region.setAttribute("aria-live", "off");
  }

  /** Only note where the reader goes: to scroll here as well would stop a scroll that has just begun. */
  #scrolled() {
    const { scrollTop, clientHeight, scrollHeight } = this.#region;
    const below = scrollHeight - clientHeight - scrollTop;
    const leaves = scrollTop < this.#place && below > 1;
    this.#follows = below <= NEAR && !leaves;
    this.#place = scrollTop;
    this.#tellNews();
  }

  #goToEnd() {
    this.#follows = true;
    this.#keepPlace();
    this.#region.focus({ preventScroll: true });
  }

  #keepPlace() {
    if (this.#follows) {
      this.#region.scrollTop = this.#region.scrollHeight;
      this.#place = this.#region.scrollTop;
    }
    this.#tellNews();
  }

  #tellNews() {
    if (this.#follows) this.#news = 0;
    this.#button.hidden = this.#news === 0;
    const text = this.#news === 1 ? "1 new line" : `${this.#news} new lines`;
    if (!this.#button.hidden && this.#button.textContent !== text) this.#button.textContent = text;
  }

  /** @param {boolean} tells whether to say how many lines it leaves */
  #filter(tells) {
    const { sought, least } = this.#hide(this.#lines);
    const output = this.#element.querySelector("output");
    if (!tells || !output) return;
    const shown = [...this.#lines].filter((line) => !line.hasAttribute("hidden")).length;
    output.value = sought || least >= 0 ? `${shown} of ${this.#lines.length}` : "";
    this.#keepPlace();
  }

  /**
   * Hide those of some lines that the reader does not want to see.
   *
   * @param {Iterable<Element>} lines
   */
  #hide(lines) {
    const field = this.#element.querySelector("input[type=search]");
    const select = this.#element.querySelector("select");
    const sought = field instanceof HTMLInputElement ? field.value.trim().toLowerCase() : "";
    const least = LEVELS.indexOf(select?.value ?? "");
    for (const line of lines) line.toggleAttribute("hidden", !matches(line, sought, least));
    return { sought, least };
  }
}

/**
 * Return the lines that have come or changed, in their order.
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
 * @param {string} sought in lower case
 * @param {number} least
 */
function matches(line, sought, least) {
  const level = LEVELS.indexOf(line.getAttribute("data-level") ?? "");
  return level >= least && (sought === "" || (line.textContent ?? "").toLowerCase().includes(sought));
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
