import { morphInto } from "../page/morph.js";

const MORPHS = ":scope > template[data-sse-morph]";

/**
 * Take the morphs that have come into an element, in their order. Each is a template that comes as an insertion like any
 * other, so that both generations of htmx bring it.
 *
 * @param {Element} element
 * @param {(content: DocumentFragment) => void} morph
 */
export function takeMorphs(element, morph) {
  const templates = /** @type {NodeListOf<HTMLTemplateElement>} */ (element.querySelectorAll(MORPHS));
  for (const template of templates) {
    template.remove();
    morph(template.content);
  }
  if (templates.length > 0) Reflect.get(globalThis, "htmx")?.process(element);
}

/**
 * Let the element inside of another that has the same id take over what a new one is.
 *
 * @param {Element} parent
 * @param {Element} news
 */
export function morphChild(parent, news) {
  const old = [...parent.children].find(({ id }) => id === news.id);
  if (old) morphInto(old, news, "outerHTML");
}
