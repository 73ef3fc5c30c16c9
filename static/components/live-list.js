import { morphChild, takeMorphs } from "./live-morphs.js";
import { inOrder } from "./live-order.js";

const KEY = "data-sse-key";

/**
 * Keep the items of a list in the order of their keys, and no more of them than it may have.
 *
 * @param {HTMLElement} list
 */
export function attach(list) {
  const compare = inOrder(list.closest("[lang]")?.getAttribute("lang") ?? "");
  const most = Number(list.dataset.sseMax ?? Number.POSITIVE_INFINITY);
  const observer = new MutationObserver((records) => update(records));
  /** @param {MutationRecord[]} records */
  const update = (records) => {
    takeMorphs(list, (content) => {
      for (const news of content.children) morphChild(list, news);
    });
    const changed = changedItems(list, [...records, ...observer.takeRecords()]);
    for (const item of changed) if (item.hasAttribute(KEY)) place(list, item, compare);
    const latest = changed.at(-1);
    if (latest) drop(list, most, latest);
    observer.takeRecords(); // what was moved and dropped here
  };
  sort(list, compare);
  observer.observe(list, { childList: true, subtree: true, attributeFilter: [KEY] });
  update([]);
  return () => observer.disconnect();
}

/** @param {Element} list */
function keyedItems(list) {
  return [...list.children].filter((item) => item.hasAttribute(KEY));
}

/**
 * @param {Element} list
 * @param {(one: Element, other: Element) => number} compare
 */
function sort(list, compare) {
  const items = keyedItems(list);
  const sorted = [...items].sort(compare);
  if (sorted.some((item, index) => item !== items[index])) list.append(...sorted);
}

/**
 * Return the items that have come, or have got another key, in that order.
 *
 * @param {Element} list
 * @param {MutationRecord[]} records
 */
function changedItems(list, records) {
  const changed = records.flatMap(({ type, target, addedNodes }) =>
    type === "attributes" ? [target] : [...addedNodes],
  );
  const items = changed.filter((node) => node instanceof Element && node.id !== "" && node.parentNode === list);
  return /** @type {Element[]} */ ([...new Set(items)]);
}

/**
 * @param {Element} list
 * @param {Element} item
 * @param {(one: Element, other: Element) => number} compare
 */
function place(list, item, compare) {
  const next = keyedItems(list).find((other) => other !== item && compare(other, item) > 0) ?? null;
  if (item.nextElementSibling !== next) list.insertBefore(item, next);
}

/**
 * Drop what is too much: the first items, if one was appended, else the last.
 *
 * @param {Element} list
 * @param {number} most
 * @param {Element} latest
 */
function drop(list, most, latest) {
  const items = [...list.children].filter(({ id }) => id !== "");
  const tooMany = Math.max(0, items.length - most);
  const isAppended = latest === items.at(-1) && !latest.hasAttribute(KEY);
  for (const item of isAppended ? items.slice(0, tooMany) : items.slice(items.length - tooMany)) item.remove();
}
