import { dom } from "../dom.js";
import { runsOf } from "./runs.js";
import { areSame, contentOf, haveSameAttributes } from "./same.js";

/** Elements that differ in these are different ones: what is typed into a field must not get into another. */
const IDENTITY = ["id", "name", "type"];

/** More nodes than these are not compared with each other. */
const MANY = 100;

/**
 * @typedef {object} Matches
 * @property {Map<ChildNode, ChildNode>} matches from the new children to the old ones
 * @property {Set<ChildNode>} unchanged the new children that are as the old ones
 * @property {ChildNode[]} removed the old children that are gone
 */

/**
 * Find out what the server has made of an element's children: which are the same ones, by their ids, by what is in them, or by
 * their tags and the place where they stand.
 *
 * @param {Node} base
 * @param {Node} fresh
 * @returns {Matches}
 */
export function matchChildren(base, fresh) {
  const matcher = new Matcher(contentOf(base), contentOf(fresh));
  matcher.matchEnds();
  matcher.matchBy((node) => (node instanceof Element && dom(node).id ? `${dom(node).nodeName}#${dom(node).id}` : ""));
  matcher.matchBy((node) => (node instanceof Element && !dom(node).id ? dom(node).outerHTML : ""));
  matcher.matchBy((node) =>
    node instanceof Element && !dom(node).id && dom(node).innerHTML ? `${kindOf(node)}>${dom(node).innerHTML}` : "",
  );
  matcher.matchRuns();
  matcher.matchInPlace(haveSameTag);
  matcher.matchAnywhere((a, b) => haveSameTag(a, b) && shareContent(a, b));
  matcher.matchInPlace(isSameKind);
  return matcher;
}

/** @implements {Matches} */
class Matcher {
  /** @type {Map<ChildNode, ChildNode>} */
  matches = new Map();
  /** @type {Set<ChildNode>} */
  unchanged = new Set();
  #olds;
  #news;
  /** @type {Set<ChildNode>} */
  #left;

  /**
   * @param {ChildNode[]} olds
   * @param {ChildNode[]} news
   */
  constructor(olds, news) {
    this.#olds = olds;
    this.#news = news;
    this.#left = new Set(olds);
  }

  get removed() {
    return [...this.#left];
  }

  /** Match what is the same at the beginning and at the end. */
  matchEnds() {
    const [olds, news] = [this.#olds, this.#news];
    const count = Math.min(olds.length, news.length);
    let start = 0;
    while (start < count && areSame(olds[start], news[start])) this.#match(olds[start], news[start++], true);
    let end = 0;
    while (end < count - start && areSame(olds[olds.length - 1 - end], news[news.length - 1 - end])) {
      end += 1;
      this.#match(olds[olds.length - end], news[news.length - end], true);
    }
  }

  /**
   * Match nodes that have the same key; "" is none. A single pair needs none: the key of a whole page is long.
   *
   * @param {(node: ChildNode) => string} keyOf
   */
  matchBy(keyOf) {
    if (this.#left.size <= 1 && this.#unmatched().length <= 1) return;
    /** @type {Map<string, ChildNode[]>} */
    const byKey = new Map();
    for (const old of this.#left) {
      const key = keyOf(old);
      if (key) byKey.set(key, [...(byKey.get(key) ?? []), old]);
    }
    if (byKey.size === 0) return;
    for (const node of this.#unmatched()) {
      const old = byKey.get(keyOf(node))?.shift();
      if (old) this.#match(old, node);
    }
  }

  /** Match what is left between two nodes that are matched already, where as many of the same kinds are left in both. */
  matchRuns() {
    const runs = runsOf(this.#olds, (old) => (this.#left.has(old) ? undefined : old));
    for (const [start, news] of runsOf(this.#news, (node) => this.matches.get(node))) {
      const olds = runs.get(start) ?? [];
      const areAlike = olds.length === news.length && olds.every((old, index) => isSameKind(old, news[index]));
      if (areAlike) for (const [index, old] of olds.entries()) this.#match(old, news[index]);
    }
  }

  /**
   * Match nodes of the same kind, in order, between those that are matched already.
   *
   * @param {(old: ChildNode, node: ChildNode) => boolean} isMatch
   */
  matchInPlace(isMatch) {
    if (this.#left.size === 0) return;
    const places = new Map(this.#olds.map((old, index) => [old, index]));
    let from = 0;
    for (const node of this.#news) {
      const matched = this.matches.get(node) ?? this.#findLeft(from, (old) => isMatch(old, node));
      if (!matched) continue;
      if (!this.matches.has(node)) this.#match(matched, node);
      from = (places.get(matched) ?? 0) + 1;
    }
  }

  /**
   * Return the first old node that is left before the next one that is matched.
   *
   * @param {number} from
   * @param {(old: ChildNode) => boolean} isMatch
   */
  #findLeft(from, isMatch) {
    for (let index = from; index < this.#olds.length && this.#left.has(this.#olds[index]); index++)
      if (isMatch(this.#olds[index])) return this.#olds[index];
    return undefined;
  }

  /**
   * Match nodes wherever they stand. Each is compared with each, so many are left alone.
   *
   * @param {(old: ChildNode, node: ChildNode) => boolean} isMatch
   */
  matchAnywhere(isMatch) {
    if (this.#left.size === 0 || this.#left.size > MANY) return;
    for (const node of this.#unmatched()) {
      const found = [...this.#left].find((old) => isMatch(old, node));
      if (found) this.#match(found, node);
    }
  }

  #unmatched() {
    return this.#news.filter((node) => !this.matches.has(node));
  }

  /**
   * @param {ChildNode} old
   * @param {ChildNode} node
   */
  #match(old, node, isUnchanged = areSame(old, node)) {
    this.matches.set(node, old);
    this.#left.delete(old);
    if (isUnchanged) this.unchanged.add(node);
  }
}

/**
 * @param {ChildNode} old
 * @param {ChildNode} node
 */
function haveSameTag(old, node) {
  return isSameKind(old, node) && old instanceof Element && haveSameAttributes(old, /** @type {Element} */ (node));
}

/**
 * Tell whether one node may become the other.
 *
 * @param {ChildNode} old
 * @param {ChildNode} node
 */
function isSameKind(old, node) {
  if (!(old instanceof Element && node instanceof Element)) return dom(old).nodeName === dom(node).nodeName;
  return kindOf(old) === kindOf(node) && isPatchable(old);
}

/**
 * Tell whether an element may become another one. A script in the page's body never does: a new one has to run.
 *
 * @param {Element} element
 */
function isPatchable(element) {
  return dom(element).nodeName !== "SCRIPT" || dom(element).closest("head") !== null;
}

/** @param {Element} element */
function kindOf(element) {
  return [dom(element).nodeName, ...IDENTITY.map((name) => dom(element).getAttribute(name))].join();
}

/**
 * Tell whether something is in two nodes.
 *
 * @param {ChildNode} old
 * @param {ChildNode} node
 */
function shareContent(old, node) {
  const others = contentOf(node);
  return contentOf(old).some((child) => others.some((other) => areSame(child, other)));
}
