import { SUB_PARAM } from "../protocol.js";
import { isCoveredBy } from "../stream/cursor.js";

/** @typedef {import("./subscription.js").Subscription} Subscription */
/** @typedef {import("../stream/cursor.js").Cursor} Cursor */

/**
 * @typedef {object} Group subscriptions that one grant serves; the first is the one that was furthest behind, whose grant it is
 * @property {Subscription[]} members
 * @property {Cursor | null} start where it was then
 */

/**
 * Merge subscriptions whose grants permit the same. The cursor of the one that is furthest behind is early enough for all.
 * Grants from before and after a revocation are not merged, unless there is no room for all of them: else the end of the older
 * ones would be that of the newer ones, until these are asked for again.
 *
 * @param {Subscription[]} subscriptions
 * @param {number} room bytes
 */
export function merged(subscriptions, room) {
  const groups = grouped(subscriptions, ({ order }) => order);
  const size = groups.reduce((sum, group) => sum + sizeOf(group), 0);
  return size > room ? grouped(subscriptions, () => "") : groups;
}

/**
 * @param {Subscription[]} subscriptions
 * @param {(subscription: Subscription) => string} orderOf
 * @returns {Group[]}
 */
function grouped(subscriptions, orderOf) {
  /** @type {Map<unknown, Group>} */
  const groups = new Map();
  for (const subscription of subscriptions) {
    const key = keyOf(subscription, orderOf(subscription));
    const group = groups.get(key);
    if (group) add(group, subscription);
    else groups.set(key, { members: [subscription], start: subscription.position });
  }
  return [...groups.values()];
}

/**
 * Return how many bytes the grant of a group has in a form.
 *
 * @param {Group} group
 */
export function sizeOf({ members: [{ parameter }] }) {
  return `&${new URLSearchParams([[SUB_PARAM, parameter]])}`.length;
}

/**
 * @param {Group} group
 * @param {Subscription} subscription
 */
function add(group, subscription) {
  if (isCoveredBy(group.start, subscription.position)) {
    group.members.push(subscription);
  } else {
    group.members.unshift(subscription);
    group.start = subscription.position;
  }
}

/**
 * Positions of different epochs cannot be compared.
 *
 * @param {Subscription} subscription
 * @param {string} order
 */
function keyOf(subscription, order) {
  const { isAlone, permission, position } = subscription;
  return isAlone || !position ? subscription : `${permission} ${order} ${position.epoch}`;
}
