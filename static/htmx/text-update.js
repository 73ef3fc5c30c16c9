import { dom } from "../dom.js";
import { serverCopy } from "../morph/server-copy.js";
import { TEXT_ATTRIBUTE } from "../protocol.js";

const PARTS = `[hx-swap-oob][${TEXT_ATTRIBUTE}], [data-hx-swap-oob][${TEXT_ATTRIBUTE}]`;

/**
 * Update the elements of which a message changes only the text, without htmx: swapping and settling an element costs a page more
 * than everything else that a message does, and a growing answer changes many times a second.
 *
 * @param {string} html a message
 * @returns {string} the rest of the message, for htmx to swap
 */
export function updateTexts(html) {
  if (!html.includes(TEXT_ATTRIBUTE)) return html;
  const template = dom(document).createElement("template");
  template.innerHTML = html;
  for (const part of template.content.querySelectorAll(PARTS)) {
    const element = dom(document).getElementById(dom(part).id);
    if (element) setText(element, dom(part).textContent ?? "");
    dom(part).remove();
  }
  return template.innerHTML;
}

/**
 * A text that only grows keeps its node, so that the browser does not have to lay out the text before the new part again.
 *
 * @param {Element} element
 * @param {string} text
 */
function setText(element, text) {
  const [node, ...others] = dom(element).childNodes;
  const grows = node instanceof Text && others.length === 0 && text.startsWith(node.data);
  if (!grows) dom(element).textContent = text;
  else if (text !== node.data) node.appendData(text.slice(node.data.length));
  serverCopy.setText(element, text);
}
