import { dom } from "../dom.js";
import { KEY_ATTRIBUTE, MAX_ATTRIBUTE } from "../protocol.js";
import { morphChild, takeMorphs } from "./live-morphs.js";
import { comparatorFor } from "./live-order.js";

/** Keeps the items of a list in the order of their keys, and their number within the maximum. */
export class LiveList {
  #list;
  #compare;
  #max;
  #observer = new MutationObserver((records) => this.#update(records));

  /** @param {HTMLElement} list */
  constructor(list) {
    this.#list = list;
    this.#compare = comparatorFor(dom(list).closest("[lang]")?.getAttribute("lang") ?? "");
    this.#max = Number(dom(list).getAttribute(MAX_ATTRIBUTE) ?? Number.POSITIVE_INFINITY);
  }

  attach() {
    this.#sort();
    const last = this.#keyedItems().at(-1);
    if (last) this.#trim(last); // items may have come before this component
    this.#observer.observe(this.#list, { childList: true, subtree: true, attributeFilter: [KEY_ATTRIBUTE] });
    this.#update([]);
  }

  detach() {
    this.#observer.disconnect();
  }

  /** @param {MutationRecord[]} records */
  #update(records) {
    takeMorphs(this.#list, (content) => {
      for (const fresh of dom(content).children) morphChild(this.#list, fresh);
    });
    const changed = this.#changedItems([...records, ...this.#observer.takeRecords()]);
    for (const item of changed) if (dom(item).hasAttribute(KEY_ATTRIBUTE)) this.#place(item);
    const latest = changed.at(-1);
    if (latest) this.#trim(latest);
    this.#observer.takeRecords(); // of what was moved and removed here
  }

  #sort() {
    const items = this.#keyedItems();
    const sorted = [...items].sort(this.#compare);
    if (sorted.some((item, index) => item !== items[index])) dom(this.#list).append(...sorted);
  }

  #keyedItems() {
    return [...dom(this.#list).children].filter((item) => dom(item).hasAttribute(KEY_ATTRIBUTE));
  }

  /**
   * Return the items that were inserted or got another key, in that order.
   *
   * @param {MutationRecord[]} records
   */
  #changedItems(records) {
    const nodes = records.flatMap(({ type, target, addedNodes }) =>
      type === "attributes" ? [target] : [...addedNodes],
    );
    const items = nodes.filter(
      (node) => node instanceof Element && dom(node).id !== "" && dom(node).parentNode === this.#list,
    );
    return /** @type {Element[]} */ ([...new Set(items)]);
  }

  /** @param {Element} item */
  #place(item) {
    const next = this.#keyedItems().find((other) => other !== item && this.#compare(other, item) > 0) ?? null;
    if (dom(item).nextElementSibling !== next) dom(this.#list).insertBefore(item, next);
  }

  /**
   * Remove the surplus: the first items if the latest was appended, else the last.
   *
   * @param {Element} latest
   */
  #trim(latest) {
    const items = [...dom(this.#list).children].filter((item) => dom(item).id !== "");
    const surplus = Math.max(0, items.length - this.#max);
    const wasAppended = latest === items.at(-1) && !dom(latest).hasAttribute(KEY_ATTRIBUTE);
    for (const item of wasAppended ? items.slice(0, surplus) : items.slice(items.length - surplus)) dom(item).remove();
  }
}
