const OOB = "hx-swap-oob";
const INSIDE = ["beforeend", "afterbegin", "append", "prepend"];
const BESIDE = ["beforebegin", "afterend", "before", "after"];

/**
 * Let a message that inserts elements do so once, however often it comes: what stands there already under the id of a new
 * element gives way to it. A page may show what was published while it was made, and its stream brings that too.
 *
 * @param {string} html the message
 * @param {Element[]} receivers the elements that swap what of it is not out of band
 */
export function removeTwins(html, receivers) {
  if (!/\sid\s*=/i.test(html)) return;
  const template = document.createElement("template");
  template.innerHTML = html;
  for (const part of template.content.querySelectorAll(`[${OOB}], [data-${OOB}]`)) {
    const [, style, selector] = /^([^:]+):(.+)$/.exec(attribute(part, OOB)) ?? [];
    if (style) removeTwinsOf(part.children, style, document.querySelectorAll(selector));
    part.remove();
  }
  for (const receiver of receivers) {
    removeTwinsOf(template.content.children, attribute(receiver, "hx-swap").split(" ")[0], targetsOf(receiver));
  }
}

/** @param {Element} receiver */
function targetsOf(receiver) {
  const target = attribute(receiver, "hx-target");
  if (target === "" || target === "this") return [receiver];
  return target.startsWith("#") ? document.querySelectorAll(target) : [];
}

/**
 * @param {Element} element
 * @param {string} name
 */
function attribute(element, name) {
  return element.getAttribute(name) ?? element.getAttribute(`data-${name}`) ?? "";
}

/**
 * @param {HTMLCollection} news
 * @param {string} style how they are swapped
 * @param {Iterable<Element>} targets
 */
function removeTwinsOf(news, style, targets) {
  const ids = new Set([...news].map(({ id }) => id).filter(Boolean));
  for (const target of targets) {
    const parent = INSIDE.includes(style) ? target : BESIDE.includes(style) ? target.parentElement : null;
    const twins = [...(parent?.children ?? [])].filter((child) => child !== target && ids.has(child.id));
    for (const twin of twins) twin.remove();
  }
}
