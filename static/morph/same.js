// Which nodes mean the same. What is published has no indentation, and a page has.

import { PROCESSED_ATTRIBUTE } from "../htmx/names.js";
import { CLOSED_ATTRIBUTE, STATE_ATTRIBUTE } from "../protocol.js";

/** Attributes that only the browser's side writes; browsers hide the `nonce` of a page's elements. */
const IGNORED = new Set([STATE_ATTRIBUTE, CLOSED_ATTRIBUTE, PROCESSED_ATTRIBUTE, "nonce"]);
const INDENTATION = /^(?:\s{2,}|\n)|(?:\s{2,}|\n)$/g;
const ONLY_INDENTATION = /^(?:\s{2,}|\n)$/;

/**
 * Tell whether two nodes are equal but for indentation and for the attributes that the browser's side writes.
 *
 * @param {Node} a
 * @param {Node} b
 * @returns {boolean}
 */
export function areSame(a, b) {
  if (a.isEqualNode(b)) return true;
  if (a.nodeName !== b.nodeName) return false;
  if (a instanceof CharacterData || b instanceof CharacterData) return textOf(a) === textOf(b);
  const [element, other] = /** @type {Element[]} */ ([a, b]);
  return haveSameAttributes(element, other) && haveSameContent(element, other);
}

/**
 * Tell whether two elements begin with the same tag.
 *
 * @param {Element} a
 * @param {Element} b
 */
export function haveSameAttributes(a, b) {
  return attributesOf(a).length === attributesOf(b).length && changedAttributes(a, b).length === 0;
}

/**
 * Return the names of the attributes in which two elements differ.
 *
 * @param {Element} a
 * @param {Element} b
 */
export function changedAttributes(a, b) {
  const names = new Set([...attributesOf(a), ...attributesOf(b)].map(({ name }) => name));
  return [...names].filter((name) => a.getAttribute(name) !== b.getAttribute(name));
}

/**
 * Return the nodes in a parent that are more than its indentation.
 *
 * @param {Node} parent
 * @returns {ChildNode[]}
 */
export function contentOf(parent) {
  const nodes = [...parent.childNodes];
  return parent.nodeName === "PRE" ? nodes : nodes.filter((node) => !isIndentation(node));
}

/** @param {Node} node */
function isIndentation(node) {
  return node instanceof Text && ONLY_INDENTATION.test(node.data);
}

/** @param {Node} node */
function textOf(node) {
  const { data, parentNode } = /** @type {CharacterData} */ (node);
  return parentNode?.nodeName === "PRE" ? data : data.replace(INDENTATION, "");
}

/** @param {Element} element */
function attributesOf(element) {
  return [...element.attributes].filter(({ name }) => !IGNORED.has(name));
}

/**
 * @param {Element} a
 * @param {Element} b
 */
function haveSameContent(a, b) {
  if (a instanceof HTMLTemplateElement && b instanceof HTMLTemplateElement) return a.innerHTML === b.innerHTML;
  const [nodes, others] = [contentOf(a), contentOf(b)];
  return nodes.length === others.length && nodes.every((node, index) => areSame(node, others[index]));
}
