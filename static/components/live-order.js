const NUMBER = /^\s*[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?\s*$/i;

/**
 * Return how elements with a `data-sse-key` are compared, the same in every tab: numbers by value, and before text; text as
 * a person would sort it; what has the same key by id.
 *
 * @param {string} language that of the page
 * @returns {(one: Element, other: Element) => number}
 */
export function inOrder(language) {
  const { compare } = collator(language);
  return (one, other) => compareKeys(key(one), key(other), compare) || compare(one.id, other.id);
}

/** @param {string} language */
function collator(language) {
  const [known = "en"] = language === "" ? [] : supported(language);
  return new Intl.Collator(known, { numeric: true });
}

/** @param {string} language */
function supported(language) {
  try {
    return Intl.Collator.supportedLocalesOf([language]);
  } catch {
    return []; // not a language tag
  }
}

/** @param {Element} element */
function key(element) {
  return element.getAttribute("data-sse-key") ?? "";
}

/**
 * @param {string} one
 * @param {string} other
 * @param {(one: string, other: string) => number} compareTexts
 */
export function compareKeys(one, other, compareTexts) {
  const [isNumber, isOther] = [NUMBER.test(one), NUMBER.test(other)];
  if (isNumber && isOther) return Number(one) - Number(other);
  if (isNumber !== isOther) return isNumber ? -1 : 1;
  return compareTexts(one, other);
}
