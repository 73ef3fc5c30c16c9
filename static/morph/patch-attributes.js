import { dom } from "../dom.js";
import { changedAttributes } from "./same.js";

/** @typedef {(live: any, base: any, fresh: any, name: string) => void} Update */

/** Attributes that are more than their text. @type {Record<string, Update>} */
const UPDATES = {
  class: updateClass,
  style: updateStyle,
  value: updateValue,
  checked: updateChecked,
  open: updateOpen,
};

/**
 * Change the attributes of an element as the server has changed them, and no others. Of `class` and `style`, each name and each
 * property counts by itself. What the reader has typed, ticked or opened stays.
 *
 * @param {Element} base
 * @param {Element} fresh
 * @param {Element} live
 * @returns {string[]} the names of what has changed
 */
export function patchAttributes(base, fresh, live) {
  const names = changedAttributes(base, fresh);
  for (const name of names) (UPDATES[name] ?? updateText)(live, base, fresh, name);
  for (const name of names) updateText(base, base, fresh, name);
  return names;
}

/** @type {Update} */
function updateText(live, _base, fresh, name) {
  const attribute = dom(fresh).getAttributeNode(name);
  // Not by name: the parser allows names that `setAttribute` refuses, such as `@click`.
  if (attribute) dom(live).setAttributeNode(dom(document).importNode(attribute));
  else dom(live).removeAttribute(name);
}

/** @type {Update} */
function updateClass(live, base, fresh) {
  const [before, now] = [[...base.classList], [...fresh.classList]];
  live.classList.remove(...before.filter((name) => !now.includes(name)));
  live.classList.add(...now.filter((name) => !before.includes(name)));
}

/** @type {Update} */
function updateStyle(live, base, fresh) {
  for (const name of new Set([...base.style, ...fresh.style])) {
    const [value, priority] = [fresh.style.getPropertyValue(name), fresh.style.getPropertyPriority(name)];
    const isChanged = base.style.getPropertyValue(name) !== value || base.style.getPropertyPriority(name) !== priority;
    if (isChanged) live.style.setProperty(name, value, priority); // an empty value removes the property
  }
}

/** @type {Update} */
function updateValue(live, base, fresh, name) {
  const wasTyped = isField(live) && live.value !== live.defaultValue;
  updateText(live, base, fresh, name);
  if (isField(live) && !wasTyped) live.value = live.defaultValue;
}

/** @type {Update} */
function updateChecked(live, base, fresh, name) {
  const wasTicked = live.checked !== live.defaultChecked;
  updateText(live, base, fresh, name);
  if (!wasTicked) live.checked = live.defaultChecked;
}

/** @type {Update} */
function updateOpen(live, base, fresh, name) {
  if (dom(live).hasAttribute(name) !== dom(base).hasAttribute(name)) return;
  if (live instanceof HTMLDialogElement && !dom(fresh).hasAttribute(name)) live.close();
  else updateText(live, base, fresh, name);
}

/** @param {Element} element */
function isField(element) {
  return element instanceof HTMLInputElement && !["checkbox", "radio", "file", "hidden"].includes(element.type);
}
