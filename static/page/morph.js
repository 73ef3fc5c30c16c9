import { dom } from "../dom.js";
import { importHeld } from "../morph/held-scripts.js";
import { serverCopy } from "../morph/server-copy.js";
import { patch } from "../morph/three-way.js";
import { bringIn } from "./new-content.js";

/**
 * Morph an element, or its content, into what the server says now. What it did not say is left as it is: see `patch`.
 *
 * @param {Element} live
 * @param {ChildNode[]} fresh
 * @param {"outerHTML" | "innerHTML"} style
 */
export function morphInto(live, fresh, style) {
  const [element] = fresh.filter((node) => node instanceof Element);
  if (style === "outerHTML" && dom(element)?.nodeName !== dom(live).nodeName) return replace(live, fresh);
  const parent = dom(document).createDocumentFragment();
  dom(parent).append(...fresh);
  const base = /** @type {Element} */ (serverCopy.of(live) ?? serverCopy.add(live));
  bringIn(patch(base, style === "outerHTML" ? element : parent, live, style));
}

/**
 * @param {Element} live
 * @param {ChildNode[]} fresh
 */
function replace(live, fresh) {
  const nodes = fresh.map(importHeld);
  serverCopy.swap("outerHTML", live, fresh);
  dom(live).replaceWith(...nodes);
  bringIn({ inserted: nodes.filter((node) => node instanceof Element), changed: [] });
}
