/** @typedef {(element: HTMLElement) => void | (() => void)} Attach gives an element its behaviour, and returns what ends it */

/** @type {{ selector: string, load: () => Promise<{ attach: Attach }> }[]} */
const kinds = [];
/** What ends the behaviours of an element. @type {Map<Element, Set<() => void>>} */
const attached = new Map();

const observer = new MutationObserver((records) => {
  for (const element of attached.keys()) if (!element.isConnected) end(element);
  for (const { addedNodes } of records) for (const node of addedNodes) if (node instanceof Element) begin(node);
});

/**
 * Give every element that a selector finds a behaviour, now and whenever one comes into the page, from a module that is
 * loaded with the first of them.
 *
 * @param {string} selector
 * @param {() => Promise<{ attach: Attach }>} load
 */
export function behaviour(selector, load) {
  if (kinds.length === 0) observer.observe(document, { childList: true, subtree: true });
  kinds.push({ selector, load });
  begin(document.documentElement);
}

/** @param {Element} root */
function begin(root) {
  if (!root.isConnected) return;
  for (const kind of kinds) {
    const found = [root, ...root.querySelectorAll(kind.selector)].filter((one) => one.matches(kind.selector));
    for (const element of found) start(/** @type {HTMLElement} */ (element), kind);
  }
}

/** Behaviours that an element has, or is about to get. @type {WeakMap<Element, Set<string>>} */
const known = new WeakMap();

/**
 * @param {HTMLElement} element
 * @param {{ selector: string, load: () => Promise<{ attach: Attach }> }} kind
 */
async function start(element, { selector, load }) {
  const names = known.get(element) ?? new Set();
  if (names.has(selector)) return;
  known.set(element, names.add(selector));
  const { attach } = await load();
  if (!element.isConnected) {
    known.delete(element);
    return;
  }
  const ends = attached.get(element) ?? new Set();
  attached.set(element, ends.add(attach(element) ?? (() => {})));
}

/** @param {Element} element */
function end(element) {
  for (const stop of attached.get(element) ?? []) stop();
  attached.delete(element);
  known.delete(element);
}
