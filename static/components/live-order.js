import { dom } from "../dom.js";
import { KEY_ATTRIBUTE } from "../protocol.js";

const NUMBER = /^\s*[-+]?(\d+(\.\d*)?|\.\d+)(e[-+]?\d+)?\s*$/i;
// Characters of a sort key that count, as in Python: keys are often texts of users.
const KEY_CHARACTERS = 256;

/**
 * Return a function that compares elements by their sort keys, the same in every tab: numbers by value and before text; text
 * as people sort it in a language; equal keys by id.
 *
 * @param {string} language of the page
 * @returns {(a: Element, b: Element) => number}
 */
export function comparatorFor(language) {
  const { compare } = collatorFor(language);
  return (a, b) => compareKeys(keyOf(a), keyOf(b), compare) || compare(dom(a).id, dom(b).id);
}

/** @param {string} language */
function collatorFor(language) {
  const [supported = "en"] = language === "" ? [] : supportedLocales(language);
  return new Intl.Collator(supported, { numeric: true });
}

/** @param {string} language */
function supportedLocales(language) {
  try {
    return Intl.Collator.supportedLocalesOf([language]);
  } catch {
    return []; // it is no language tag
  }
}

/** @param {Element} element */
function keyOf(element) {
  return (dom(element).getAttribute(KEY_ATTRIBUTE) ?? "").slice(0, KEY_CHARACTERS);
}

/**
 * @param {string} a
 * @param {string} b
 * @param {(a: string, b: string) => number} compareTexts
 */
function compareKeys(a, b, compareTexts) {
  const [isNumberA, isNumberB] = [NUMBER.test(a), NUMBER.test(b)];
  if (isNumberA && isNumberB) return Number(a) - Number(b);
  if (isNumberA !== isNumberB) return isNumberA ? -1 : 1;
  return compareTexts(a, b);
}
