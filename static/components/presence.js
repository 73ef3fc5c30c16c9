import { dom } from "../dom.js";
import { HubClient } from "../hub/hub-client.js";
import { tabId } from "../page/tab.js";
import { CONNECT_ATTRIBUTE, ROOM_ATTRIBUTE, SHARED_ATTRIBUTE } from "../protocol.js";

/** The elements that put this tab in a room. @type {Set<HTMLElement>} */
const elements = new Set();

dom(document).addEventListener("visibilitychange", reportPresence);

/** Tells the server that this tab is in a room, and whether it is visible, through the hub that the element subscribes to. */
export class Presence {
  #element;

  /** @param {HTMLElement} element */
  constructor(element) {
    this.#element = element;
  }

  attach() {
    elements.add(this.#element);
    reportPresence();
  }

  detach() {
    elements.delete(this.#element);
    reportPresence();
  }
}

/** Report all rooms of this tab to each hub. */
function reportPresence() {
  /** @type {Map<string, Set<string>>} */
  const rooms = new Map();
  for (const element of elements) {
    const { origin, pathname } = new URL(dom(element).getAttribute(CONNECT_ATTRIBUTE) ?? "", dom(document).baseURI);
    const names = rooms.get(origin + pathname) ?? new Set();
    rooms.set(origin + pathname, names.add(dom(element).getAttribute(ROOM_ATTRIBUTE) ?? ""));
  }
  const sharedBy = [...elements][0]?.getAttribute(SHARED_ATTRIBUTE) ?? "browser"; // the same for all elements of a page
  for (const [address, names] of rooms)
    HubClient.for(address, sharedBy).setPresence({ id: tabId, rooms: [...names], visible: !dom(document).hidden });
}
