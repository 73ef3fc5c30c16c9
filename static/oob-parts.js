const OOB = "[hx-swap-oob], [data-hx-swap-oob]";

/**
 * Tell whether HTML is out of band only, and give what of it has a target on this page.
 *
 * @param {string} html
 * @returns {{only: boolean, html: string}}
 */
export function oobParts(html) {
  if (!html.includes("hx-swap-oob")) return { only: false, html };
  const template = document.createElement("template");
  template.innerHTML = html;
  const only = [...template.content.childNodes].every(isOob);
  const lost = [...template.content.querySelectorAll(OOB)].filter((element) => !hasTarget(element));
  for (const element of lost) element.remove();
  return { only, html: lost.length ? template.innerHTML : html };
}

/** @param {Node} node */
function isOob(node) {
  return node instanceof Element ? node.matches(OOB) : node instanceof Comment || !node.textContent?.trim();
}

/** @param {Element} element */
function hasTarget(element) {
  const value = element.getAttribute("hx-swap-oob") ?? element.getAttribute("data-hx-swap-oob") ?? "";
  const [, selector] = /^[^:]+:(.+)$/.exec(value) ?? [];
  return document.querySelector(selector ?? `#${CSS.escape(element.id)}`) !== null;
}
