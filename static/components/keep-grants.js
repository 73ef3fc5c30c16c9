import { CONNECTING_ATTRIBUTES } from "../htmx/names.js";
import { isSameFollower } from "../page/same-channels.js";
import { CONNECT_ATTRIBUTE, CURSOR_ATTRIBUTE } from "../protocol.js";

const FOLLOWING = `[${CONNECT_ATTRIBUTE}]`;
const KEPT = [CONNECT_ATTRIBUTE, ...CONNECTING_ATTRIBUTES, CURSOR_ATTRIBUTE];

/**
 * Let elements that are rendered again keep the grants by which they follow their channels already. Else every browser would
 * open its connection again each time.
 *
 * @param {Element} live what is shown
 * @param {DocumentFragment} fresh what it will be morphed into
 */
export function keepGrants(live, fresh) {
  const known = [...live.querySelectorAll(FOLLOWING)];
  for (const element of fresh.querySelectorAll(FOLLOWING)) {
    const index = known.findIndex((candidate) => isSameFollower(candidate, element));
    const [same] = index < 0 ? [] : known.splice(index, 1);
    for (const name of same ? KEPT : []) {
      const value = same.getAttribute(name);
      if (value !== null) element.setAttribute(name, value);
    }
  }
}
