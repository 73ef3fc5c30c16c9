import { dom } from "../dom.js";
import { morphInto } from "../page/morph.js";
import { MORPH_ATTRIBUTE } from "../protocol.js";
import { keepGrants } from "./keep-grants.js";

const MORPHS = `:scope > template[${MORPH_ATTRIBUTE}]`;

/**
 * Take the morphs out of an element, in the order in which they came, and apply each. A morph is a template that is inserted
 * like any other content, so that both generations of htmx deliver it.
 *
 * @param {Element} element
 * @param {(content: DocumentFragment, morph: HTMLTemplateElement) => void} apply
 */
export function takeMorphs(element, apply) {
  const templates = /** @type {NodeListOf<HTMLTemplateElement>} */ (dom(element).querySelectorAll(MORPHS));
  for (const template of templates) {
    template.remove();
    keepGrants(element, template.content);
    apply(template.content, template);
  }
}

/**
 * Morph the child that has the id of a fresh element into it.
 *
 * @param {Element} parent
 * @param {Element} fresh
 */
export function morphChild(parent, fresh) {
  const child = [...dom(parent).children].find((child) => dom(child).id === dom(fresh).id);
  if (child) morphInto(child, [fresh], "outerHTML");
}
