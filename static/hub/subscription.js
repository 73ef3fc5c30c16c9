import { CURSOR_SEPARATOR } from "../protocol.js";
import { cursor, isPast } from "../stream/cursor.js";

/**
 * @typedef {object} Wish what an element follows
 * @property {string} id its name in its tab
 * @property {string} grant
 * @property {string} cursor after which it is to be served; "" for the one in the grant
 * @property {number} cap milliseconds: the longest range of the jitter that its page wants
 */

/** What one element of one tab follows: its grant, and how far it has been served. */
export class Subscription {
  /** What the grant names; the server says it. @type {Set<string> | null} */
  channels = null;
  /** When the grant runs out, in milliseconds since the epoch. */
  expiresAt = Number.POSITIVE_INFINITY;
  /** Whether the tab has let go of it, or the server has refused it. */
  ended = false;
  live = false;
  #place;

  /**
   * @param {import("./tab-port.js").TabPort} tab
   * @param {Wish} wish
   */
  constructor(tab, { id, grant, cursor: after, cap }) {
    this.tab = tab;
    this.id = id;
    this.grant = grant;
    this.cap = cap;
    this.cursor = after;
    this.#place = cursor(after);
  }

  /** What the request for a stream says of it. */
  get sub() {
    return this.cursor ? this.grant + CURSOR_SEPARATOR + this.cursor : this.grant;
  }

  /**
   * Take note of a message that its connection has brought, whichever its channel: all before it was brought, too.
   *
   * @param {string} id
   * @returns {boolean} whether it is news
   */
  advance(id) {
    const place = cursor(id);
    if (isPast(place, this.#place)) return false;
    this.#place = place ?? this.#place;
    this.cursor = place ? id : this.cursor;
    return true;
  }

  /** @param {Iterable<string>} names */
  follows(names) {
    return [...names].some((name) => this.channels?.has(name));
  }
}
