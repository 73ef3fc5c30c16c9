const TEXT = "data-sse-text";
const PARTS = `[hx-swap-oob][${TEXT}], [data-hx-swap-oob][${TEXT}]`;

/**
 * Update the elements of which a message changes nothing but their text, without htmx: swapping and settling one costs a
 * page more than all else that a message does, and it comes many times a second.
 *
 * @param {string} html a message
 * @returns {string} what is left of it for htmx to swap
 */
export function updateTexts(html) {
  if (!html.includes(TEXT)) return html;
  const template = document.createElement("template");
  template.innerHTML = html;
  for (const part of template.content.querySelectorAll(PARTS)) {
    const element = document.getElementById(part.id);
    if (element) setText(element, part.textContent ?? "");
    part.remove();
  }
  return template.innerHTML;
}

/**
 * A text that only grows keeps its node: the browser need not lay out again what stands before.
 *
 * @param {Element} element
 * @param {string} text
 */
function setText(element, text) {
  const [node, ...others] = element.childNodes;
  const grows = node instanceof Text && others.length === 0 && text.startsWith(node.data);
  if (!grows) element.textContent = text;
  else if (text !== node.data) node.appendData(text.slice(node.data.length));
}
