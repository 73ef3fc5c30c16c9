// Tells the server which rooms this tab is in, and whether anybody sees it, over the hub that its elements follow.

import { HubClient } from "../hub/hub-client.js";
import { tabId } from "../page/tab.js";
import { CONNECT_ATTRIBUTE, ROOM_ATTRIBUTE, SHARED_ATTRIBUTE } from "../protocol.js";

/** The elements that make this tab be somewhere. @type {Set<HTMLElement>} */
const elements = new Set();

document.addEventListener("visibilitychange", tell);

/** @param {HTMLElement} element */
export function attach(element) {
  elements.add(element);
  tell();
  return () => {
    elements.delete(element);
    tell();
  };
}

function tell() {
  /** @type {Map<string, Set<string>>} */
  const rooms = new Map();
  for (const element of elements) {
    const { origin, pathname } = new URL(element.getAttribute(CONNECT_ATTRIBUTE) ?? "", document.baseURI);
    const names = rooms.get(origin + pathname) ?? new Set();
    rooms.set(origin + pathname, names.add(element.getAttribute(ROOM_ATTRIBUTE) ?? ""));
  }
  const sharedBy = [...elements][0]?.getAttribute(SHARED_ATTRIBUTE) ?? "browser"; // it is the same for all of a page
  for (const [address, names] of rooms)
    HubClient.for(address, sharedBy).setPresence({ id: tabId, rooms: [...names], visible: !document.hidden });
}
