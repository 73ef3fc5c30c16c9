// The scripts of new content run once all of it is in the page, whoever has parsed it: some parsers let them run when they are
// inserted, and others never.

import { dom } from "../dom.js";
import { serverCopy } from "./server-copy.js";

const HELD = "text/x-sse-held";

/**
 * Make a node for the page of what the server says. Its scripts are held until `runScripts`.
 *
 * @param {ChildNode} fresh becomes the copy of the node
 */
export function importHeld(fresh) {
  const live = dom(document).importNode(fresh, true);
  serverCopy.pair(fresh, live);
  for (const script of scriptsOf(live)) script.type = HELD;
  return live;
}

/**
 * Run the scripts of a new element that are held.
 *
 * @param {Element} root
 * @returns {Element} the root, which is another element if it is a script itself
 */
export function runScripts(root) {
  const held = scriptsOf(root).filter(({ type }) => type === HELD);
  const renewed = new Map(held.map((script) => [/** @type {Element} */ (script), renew(script)]));
  for (const [script, fresh] of renewed) dom(script).replaceWith(fresh);
  return renewed.get(root) ?? root;
}

/**
 * @param {Node} root
 * @returns {HTMLScriptElement[]}
 */
function scriptsOf(root) {
  if (root instanceof HTMLScriptElement) return [root];
  return root instanceof Element ? [...dom(root).querySelectorAll("script")] : [];
}

/** @param {HTMLScriptElement} script */
function renew(script) {
  const copy = /** @type {HTMLScriptElement} */ (serverCopy.of(script));
  const fresh = dom(document).createElement("script");
  for (const attribute of dom(copy).attributes) dom(fresh).setAttributeNode(dom(document).importNode(attribute));
  fresh.nonce = dom(document).querySelector("script")?.nonce ?? ""; // that of this page, not of the fresh one
  fresh.async = dom(copy).hasAttribute("async");
  dom(fresh).textContent = dom(copy).textContent;
  serverCopy.pair(copy, fresh);
  return fresh;
}
