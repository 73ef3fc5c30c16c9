import { dom } from "../dom.js";

/**
 * Return the fewest nodes that have to move to get from the old order to the new one.
 *
 * @param {Node} base the parent
 * @param {ChildNode[]} order the new children
 * @param {Map<ChildNode, ChildNode>} matches from the new children to the old ones
 * @returns {Set<ChildNode>} old children
 */
export function movedNodes(base, order, matches) {
  const places = new Map([...dom(base).childNodes].map((node, index) => [node, index]));
  const olds = order.map((node) => matches.get(node)).filter((old) => old !== undefined);
  const staying = longestIncreasing(olds.map((old) => places.get(old) ?? -1));
  return new Set(olds.filter((_, index) => !staying.has(index)));
}

/**
 * Return the indices of a longest increasing subsequence.
 *
 * @param {number[]} numbers
 * @returns {Set<number>}
 */
export function longestIncreasing(numbers) {
  /** The index that ends the best sequence of each length. @type {number[]} */
  const ends = [];
  /** @type {number[]} */
  const previous = [];
  for (const [index, number] of numbers.entries()) {
    const length = firstNotBelow(ends, number, numbers);
    previous[index] = ends[length - 1] ?? -1;
    ends[length] = index;
  }
  const found = new Set();
  for (let index = ends.at(-1) ?? -1; index >= 0; index = previous[index]) found.add(index);
  return found;
}

/**
 * @param {number[]} ends
 * @param {number} number
 * @param {number[]} numbers
 */
function firstNotBelow(ends, number, numbers) {
  let [low, high] = [0, ends.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (numbers[ends[middle]] < number) low = middle + 1;
    else high = middle;
  }
  return low;
}
