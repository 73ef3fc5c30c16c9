const OOB = "hx-swap-oob";
const DATA_OOB = `data-${OOB}`;

/**
 * Take the HTML of a message apart.
 *
 * @param {string} html
 * @returns {{ outOfBand: string, rest: string | null }} `outOfBand` is the message again if some of it is to be swapped out
 *   of band, made ready for htmx 2; `rest` is what stands beside that, or null if nothing does
 */
export function oobParts(html) {
  if (!html.includes(OOB)) return { outOfBand: "", rest: html };
  const template = document.createElement("template");
  template.innerHTML = html;
  const parts = [...template.content.querySelectorAll(`[${OOB}], [${DATA_OOB}]`)];
  const outOfBand = makeReady(parts) ? template.innerHTML : html;
  const some = parts.some((part) => swapOf(part) !== null);
  for (const part of parts) part.remove();
  const alone = ![...template.content.childNodes].some(isContent);
  return { outOfBand: some ? outOfBand : "", rest: alone ? null : template.innerHTML };
}

/**
 * Let htmx 2 do with each part what htmx 4 does: it would report an error for a target that this page does not show, and
 * knows `textContent` for requests only.
 *
 * @param {Element[]} parts
 * @returns {boolean} whether that has changed anything
 */
function makeReady(parts) {
  const lost = parts.filter((part) => !hasTarget(part));
  for (const part of lost) setSwap(part, null);
  const texts = parts.filter((part) => swapOf(part)?.startsWith("textContent"));
  for (const part of texts) {
    setSwap(part, `innerHTML${swapOf(part)?.slice("textContent".length)}`);
    part.replaceChildren(part.textContent ?? "");
  }
  return lost.length + texts.length > 0;
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
  return part.id === "" || document.getElementById(part.id) !== null; // htmx reports one without id
}

/** @param {Node} node */
function isContent(node) {
  return node instanceof Element || (node instanceof Text && node.data.trim() !== "");
}
