import { dom } from "../dom.js";
import { serverCopy } from "../morph/server-copy.js";
import { parseOutOfBand } from "./swap-spec.js";

const OOB = "hx-swap-oob";
const INSIDE = ["beforeend", "afterbegin", "append", "prepend"];
const BESIDE = ["beforebegin", "afterend", "before", "after"];

/**
 * Make the insertion of elements idempotent: remove the elements that have the id of one that is about to be inserted in the
 * same place. A page may already show what was published while it was made, and its stream brings that, too.
 *
 * @param {string} html of a message
 * @param {Element[]} receivers the elements that swap the part of it that is not out of band
 */
export function dedupeById(html, receivers) {
  if (!/\sid\s*=/i.test(html)) return;
  const template = dom(document).createElement("template");
  template.innerHTML = html;
  for (const part of template.content.querySelectorAll(`[${OOB}], [data-${OOB}]`)) {
    const { style, selector } = parseOutOfBand(attribute(part, OOB));
    if (selector) removeDuplicates(dom(part).children, style, dom(document).querySelectorAll(selector));
    dom(part).remove();
  }
  for (const receiver of receivers) {
    const [style] = attribute(receiver, "hx-swap").split(" ");
    removeDuplicates(template.content.children, style, targetsOf(receiver));
  }
}

/** @param {Element} receiver */
function targetsOf(receiver) {
  const target = attribute(receiver, "hx-target");
  if (target === "" || target === "this") return [receiver];
  return target.startsWith("#") ? dom(document).querySelectorAll(target) : [];
}

/**
 * @param {Element} element
 * @param {string} name
 */
function attribute(element, name) {
  return dom(element).getAttribute(name) ?? dom(element).getAttribute(`data-${name}`) ?? "";
}

/**
 * @param {HTMLCollection} inserted
 * @param {string} style of the swap
 * @param {Iterable<Element>} targets
 */
function removeDuplicates(inserted, style, targets) {
  const ids = new Set([...inserted].map((element) => dom(element).id).filter(Boolean));
  for (const target of targets) {
    const parent = INSIDE.includes(style) ? target : BESIDE.includes(style) ? dom(target).parentElement : null;
    const duplicates = [...(dom(parent)?.children ?? [])].filter((child) => child !== target && ids.has(dom(child).id));
    for (const duplicate of duplicates) {
      serverCopy.drop(duplicate);
      dom(duplicate).remove();
    }
  }
}
