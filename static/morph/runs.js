/**
 * Split nodes at the anchors.
 *
 * @param {ChildNode[]} nodes
 * @param {(node: ChildNode) => Node | undefined} anchorOf
 * @returns {Map<Node | null, ChildNode[]>} the nodes after each anchor
 */
export function runsOf(nodes, anchorOf) {
  /** @type {ChildNode[]} */
  let run = [];
  const runs = new Map([[/** @type {Node | null} */ (null), run]]);
  for (const node of nodes) {
    const anchor = anchorOf(node);
    if (!anchor) run.push(node);
    else {
      run = [];
      runs.set(anchor, run);
    }
  }
  return runs;
}
