import { dom } from "../dom.js";
import { moveBefore } from "./fields.js";
import { importHeld } from "./held-scripts.js";
import { matchChildren } from "./match-children.js";
import { movedNodes } from "./moved-nodes.js";
import { replacementsOf } from "./replacements.js";
import { areSame, contentOf } from "./same.js";
import { serverCopy } from "./server-copy.js";

/** @typedef {import("./three-way.js").ThreeWayPatch} ThreeWayPatch */

/** A three-way patch of what is in one element. */
export class ChildrenPatch {
  #whole;
  #base;
  #live;
  #fresh;
  #before;
  /** The children by their copies. @type {Map<Node, ChildNode>} */
  #anchors;
  /** The children that the page's server has not made. @type {Set<ChildNode>} */
  #strangers = new Set();
  /** What the server said before, and has moved. @type {Set<ChildNode>} */
  #moved = new Set();
  /** The strangers that scripts have put in the place of what the server said. @type {Map<ChildNode, ChildNode>} */
  #replacements;
  /** After which nodes the next one belongs. @type {{ base: ChildNode | null, live: ChildNode | null }} */
  #place = { base: null, live: null };

  /**
   * @param {ThreeWayPatch} whole
   * @param {Element} base
   * @param {Node} fresh
   * @param {Element} live
   */
  constructor(whole, base, fresh, live) {
    this.#whole = whole;
    this.#base = base;
    this.#live = live;
    this.#fresh = contentOf(fresh);
    this.#before = matchChildren(base, fresh);
    this.#anchors = new Map();
    for (const node of contentOf(live)) {
      const copy = serverCopy.of(node);
      if (copy && dom(copy).parentNode === base) this.#anchors.set(copy, node);
      else this.#strangers.add(node);
    }
    this.#replacements = replacementsOf(contentOf(base), contentOf(live), this.#anchors);
  }

  run() {
    if (this.#isRemade()) return this.#replaceAll();
    for (const old of this.#before.removed) this.#remove(old);
    this.#moved = movedNodes(this.#base, this.#fresh, this.#before.matches);
    for (const fresh of this.#fresh) {
      const old = this.#before.matches.get(fresh);
      if (old) this.#keep(old, fresh);
      else this.#add(fresh);
    }
  }

  /** A script has made something else of all that the server said here, and the server has changed that. */
  #isRemade() {
    const { matches, unchanged } = this.#before;
    if (this.#anchors.size > 0) return false;
    return this.#fresh.some((fresh) => {
      const old = matches.get(fresh);
      return old && !unchanged.has(fresh) && !this.#whole.find(old) && !this.#standIn(fresh, old);
    });
  }

  #replaceAll() {
    const kept = [...dom(this.#live).childNodes].filter((child) => !this.#whole.mayRemove(child));
    dom(this.#live).replaceChildren(...kept);
    dom(this.#base).replaceChildren();
    for (const fresh of this.#fresh) this.#insert(fresh);
    this.#whole.changes.inserted.push(this.#live);
  }

  /** @param {ChildNode} old */
  #remove(old) {
    if (old instanceof Element && this.#whole.says(dom(old).id)) return; // it is in another place now
    const live = this.#anchors.get(old) ?? this.#whole.find(old) ?? this.#replacements.get(old);
    dom(old).remove();
    if (live && this.#whole.mayRemove(live)) dom(live).remove();
  }

  /**
   * @param {ChildNode} old
   * @param {ChildNode} fresh
   */
  #keep(old, fresh) {
    const live = this.#anchors.get(old);
    if (this.#moved.has(old)) this.#move(old, live);
    if (this.#before.unchanged.has(fresh)) return this.#pass(old, live);
    const found = live ?? this.#whole.find(old);
    if (found) return this.#pass(this.#whole.patchNode(old, fresh, found), live);
    dom(old).remove(); // a script or htmx has taken it away, but the server has changed it
    this.#add(fresh, old);
  }

  /**
   * Add what the server says for the first time here.
   *
   * @param {ChildNode} fresh
   * @param {ChildNode} [old] what it was before, if the page has lost that
   */
  #add(fresh, old) {
    const moved = this.#whole.findMoved(fresh);
    const standIn = this.#standIn(fresh, old);
    if (moved && !dom(moved).contains(this.#live)) this.#adopt(moved, fresh, true);
    else if (standIn && dom(standIn).nodeName === dom(fresh).nodeName) this.#adopt(standIn, fresh, false);
    else this.#bring(fresh, standIn);
  }

  /**
   * Return the child that is what the server says now, though not from it, or that stands in the place of what it said before.
   *
   * @param {ChildNode} fresh
   * @param {ChildNode} [old]
   */
  #standIn(fresh, old) {
    const strangers = [...this.#strangers].filter((node) => dom(node).nodeName === dom(fresh).nodeName);
    const replacement = old && this.#replacements.get(old);
    return (
      strangers.find(
        (node) => node instanceof Element && dom(node).id !== "" && dom(node).id === Reflect.get(fresh, "id"),
      ) ??
      strangers.find((node) => areSame(serverCopy.of(node) ?? node, fresh)) ??
      (replacement && this.#strangers.has(replacement) ? replacement : undefined)
    );
  }

  /**
   * Take a node of the page for what the server says now, and bring it up to date.
   *
   * @param {ChildNode} live
   * @param {ChildNode} fresh
   * @param {boolean} isMoved
   */
  #adopt(live, fresh, isMoved) {
    const copy = /** @type {ChildNode} */ (serverCopy.of(live) ?? serverCopy.add(live));
    this.#strangers.delete(live);
    this.#move(copy, isMoved ? live : undefined);
    this.#pass(this.#whole.patchNode(copy, fresh, live), live);
  }

  /**
   * @param {ChildNode} fresh
   * @param {ChildNode} [standIn] what gives way to it, unless it may not
   */
  #bring(fresh, standIn) {
    if (standIn && !this.#whole.mayRemove(standIn)) return this.#say(fresh);
    const live = this.#insert(fresh);
    if (live instanceof Element) this.#whole.changes.inserted.push(live);
    dom(standIn)?.remove();
  }

  /**
   * Note what the server says, though the page does not show it.
   *
   * @param {ChildNode} fresh
   */
  #say(fresh) {
    dom(this.#base).insertBefore(fresh, afterOrFirst(this.#place.base, this.#base));
    this.#place.base = fresh;
  }

  /** @param {ChildNode} fresh */
  #insert(fresh) {
    const live = importHeld(fresh);
    dom(this.#base).insertBefore(fresh, afterOrFirst(this.#place.base, this.#base));
    dom(this.#live).insertBefore(live, this.#next());
    this.#pass(fresh, live);
    return live;
  }

  /**
   * @param {ChildNode} copy
   * @param {ChildNode | undefined} live
   */
  #move(copy, live) {
    dom(this.#base).insertBefore(copy, afterOrFirst(this.#place.base, this.#base));
    if (live) moveBefore(this.#live, live, this.#next());
  }

  /** Return the child before which the next one belongs. */
  #next() {
    if (this.#place.live) return dom(this.#place.live).nextSibling;
    for (const fresh of this.#fresh) {
      const old = this.#before.matches.get(fresh);
      const live = old && !this.#moved.has(old) ? this.#anchors.get(old) : undefined;
      if (live && dom(live).parentNode === this.#live) return live;
    }
    return null;
  }

  /**
   * @param {ChildNode} copy
   * @param {ChildNode | undefined} live
   */
  #pass(copy, live) {
    this.#place.base = copy;
    if (live && dom(live).parentNode === this.#live) this.#place.live = live;
  }
}

/**
 * @param {ChildNode | null} node
 * @param {Node} parent
 */
function afterOrFirst(node, parent) {
  return node ? dom(node).nextSibling : dom(parent).firstChild;
}
