import { dom } from "../dom.js";
import { allowsScripts, processElement, processInserted } from "../htmx/process.js";
import { runScripts } from "../morph/held-scripts.js";

/** @typedef {import("../morph/three-way.js").Changes} Changes */

/**
 * Bring new content to life: the one way in for what a patch has inserted, as htmx does it for what it swaps. Its scripts run
 * once, htmx processes it, and `htmx.onLoad` tells those who initialize new content: hyperscript, SortableJS, MarkdownJS.
 *
 * @param {Changes} changes
 */
export function bringIn({ inserted, changed }) {
  const present = inserted.filter((element) => dom(element).isConnected);
  const roots = present.map((element) => (allowsScripts() ? runScripts(element) : element));
  for (const element of roots) if (dom(element).isConnected) processInserted(element);
  for (const element of changed) if (dom(element).isConnected) processElement(element);
}
