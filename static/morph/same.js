// Which nodes mean the same. What is published has no indentation, and a page has.

import { dom } from "../dom.js";
import { PROCESSED_ATTRIBUTE } from "../htmx/names.js";
import { CLOSED_ATTRIBUTE, STATE_ATTRIBUTE } from "../protocol.js";

/** Attributes that only the browser's side writes; browsers hide the `nonce` of a page's elements. */
const IGNORED = new Set([STATE_ATTRIBUTE, CLOSED_ATTRIBUTE, PROCESSED_ATTRIBUTE, "nonce"]);
const INDENTATION = /^(?:\s{2,}|\n)|(?:\s{2,}|\n)$/g;
const ONLY_INDENTATION = /^(?:\s{2,}|\n)$/;

/**
 * What an element was last found to differ from: a patch asks again and again on its way down to the difference. What a server
 * says now does not change, so the answer stays true.
 *
 * @type {WeakMap<Node, Node>}
 */
const different = new WeakMap();

/**
 * Tell whether two nodes are equal but for indentation and for the attributes that the browser's side writes.
 *
 * @param {Node} base
 * @param {Node} fresh
 * @returns {boolean}
 */
export function areSame(base, fresh) {
  if (different.get(base) === fresh) return false;
  if (dom(base).isEqualNode(fresh)) return true;
  if (dom(base).nodeName !== dom(fresh).nodeName) return false;
  if (dom(base).nodeType !== Node.ELEMENT_NODE) return textOf(base) === textOf(fresh);
  const [element, other] = /** @type {Element[]} */ ([base, fresh]);
  if (haveSameAttributes(element, other) && haveSameContent(element, other)) return true;
  different.set(base, fresh);
  return false;
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
  return [...names].filter((name) => dom(a).getAttribute(name) !== dom(b).getAttribute(name));
}

/**
 * Return the nodes in a parent that are more than its indentation.
 *
 * @param {Node} parent
 * @returns {ChildNode[]}
 */
export function contentOf(parent) {
  const nodes = [...dom(parent).childNodes];
  return dom(parent).nodeName === "PRE" ? nodes : nodes.filter((node) => !isIndentation(node));
}

/** @param {Node} node */
function isIndentation(node) {
  return dom(node).nodeType === Node.TEXT_NODE && ONLY_INDENTATION.test(dom(node).nodeValue ?? "");
}

/** @param {Node} node */
function textOf(node) {
  const { data, parentNode } = /** @type {CharacterData} */ (node); // no element: nothing shadows its properties
  return parentNode && dom(parentNode).nodeName === "PRE" ? data : data.replace(INDENTATION, "");
}

/** @param {Element} element */
function attributesOf(element) {
  return [...dom(element).attributes].filter(({ name }) => !IGNORED.has(name));
}

/**
 * @param {Element} a
 * @param {Element} b
 */
function haveSameContent(a, b) {
  if (a instanceof HTMLTemplateElement && b instanceof HTMLTemplateElement)
    return dom(a).innerHTML === dom(b).innerHTML;
  const [nodes, others] = [contentOf(a), contentOf(b)];
  return nodes.length === others.length && nodes.every((node, index) => areSame(node, others[index]));
}
