import { CONNECT_ATTRIBUTE, SUB_PARAM } from "../protocol.js";

/**
 * Tell whether two elements are the same one, rendered twice: they have the same id, and follow the same channels.
 *
 * @param {Element} element
 * @param {Element} other
 */
export function isSameFollower(element, other) {
  return element.getAttribute("id") === other.getAttribute("id") && channelsOf(element) === channelsOf(other);
}

/**
 * Return the part of an element's grant that names its channels, without the one that it is limited to.
 *
 * @param {Element} element
 */
function channelsOf(element) {
  const { search } = new URL(element.getAttribute(CONNECT_ATTRIBUTE) ?? "", location.href);
  const grant = new URLSearchParams(search).get(SUB_PARAM) ?? "";
  return grant.split(".", 1)[0].split("--").at(-1);
}
