const OOB = "hx-swap-oob";
const DATA_OOB = `data-${OOB}`;

/**
 * Split the HTML of a message into what is swapped out of band and the rest.
 *
 * @param {string} html
 * @returns {{ outOfBand: string, rest: string | null }} `outOfBand` is the whole message, prepared for htmx 2, or "" if it has
 *   no part that this page can swap out of band; `rest` is the content beside such parts, or null if there is none
 */
export function splitOutOfBand(html) {
  if (!html.includes(OOB)) return { outOfBand: "", rest: html };
  const template = document.createElement("template");
  template.innerHTML = html;
  const parts = [...template.content.querySelectorAll(`[${OOB}], [${DATA_OOB}]`)];
  const outOfBand = prepareForHtmx2(parts) ? template.innerHTML : html;
  const hasTargets = parts.some((part) => swapOf(part) !== null);
  for (const part of parts) part.remove();
  const hasRest = [...template.content.childNodes].some(isContent);
  return { outOfBand: hasTargets ? outOfBand : "", rest: hasRest ? template.innerHTML : null };
}

/**
 * Have htmx 2 treat each part as htmx 4 does: it reports an error if the page does not have the target, and does not
 * support `textContent` out of band.
 *
 * @param {Element[]} parts
 * @returns {boolean} whether a part was changed
 */
function prepareForHtmx2(parts) {
  const withoutTarget = parts.filter((part) => !hasTarget(part));
  for (const part of withoutTarget) setSwap(part, null);
  const texts = parts.filter((part) => swapOf(part)?.startsWith("textContent"));
  for (const part of texts) {
    setSwap(part, `innerHTML${swapOf(part)?.slice("textContent".length)}`);
    part.replaceChildren(part.textContent ?? "");
  }
  return withoutTarget.length + texts.length > 0;
}

/** @param {Element} part */
function swapOf(part) {
  return part.getAttribute(OOB) ?? part.getAttribute(DATA_OOB);
}

/**
 * @param {Element} part
 * @param {string | null} swap
 */
function setSwap(part, swap) {
  part.removeAttribute(DATA_OOB);
  if (swap === null) part.removeAttribute(OOB);
  else part.setAttribute(OOB, swap);
}

/** @param {Element} part */
function hasTarget(part) {
  const [, selector] = /^[^:]+:(.+)$/.exec(swapOf(part) ?? "") ?? [];
  if (selector) return document.querySelector(selector) !== null;
  return part.id === "" || document.getElementById(part.id) !== null; // htmx reports a part without id
}

/** @param {Node} node */
function isContent(node) {
  return node instanceof Element || (node instanceof Text && node.data.trim() !== "");
}
