import { runsOf } from "./runs.js";

/**
 * Find what scripts have put in the place of what the server said: between two children that are still there, as many others as
 * are missing.
 *
 * @param {ChildNode[]} olds what the server said
 * @param {ChildNode[]} lives what stands here
 * @param {Map<Node, ChildNode>} anchors the children that are still there, by what the server said of them
 * @returns {Map<ChildNode, ChildNode>}
 */
export function replacementsOf(olds, lives, anchors) {
  const found = new Map();
  const copies = new Map([...anchors].map(([copy, live]) => [live, copy]));
  const runs = runsOf(lives, (live) => copies.get(live));
  for (const [start, missing] of runsOf(olds, (old) => (anchors.has(old) ? old : undefined))) {
    const others = runs.get(start) ?? [];
    if (others.length === missing.length) for (const [index, old] of missing.entries()) found.set(old, others[index]);
  }
  return found;
}
