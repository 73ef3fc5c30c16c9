import { CURSOR_SEPARATOR } from "../protocol.js";
import { isCoveredBy, parseCursor } from "../stream/cursor.js";

/**
 * @typedef {object} SubscriptionRequest what an element wants to follow
 * @property {string} id unique in its tab
 * @property {string} grant
 * @property {string} cursor where to start; "" for the cursor in the grant
 * @property {number} cap milliseconds: the longest back-off that its page accepts
 */

/** What one element of one tab follows: its grant, and the cursor that it has reached. */
export class Subscription {
  /** The channels of the grant, as the server reported them. @type {Set<string> | null} */
  channels = null;
  /** When the grant expires, in milliseconds since the epoch. */
  expiresAt = Number.POSITIVE_INFINITY;
  /** Whether the tab has cancelled it, or the server has refused it. */
  hasEnded = false;
  isLive = false;
  #position;

  /**
   * @param {import("./tab-port.js").TabPort} tab
   * @param {SubscriptionRequest} request
   */
  constructor(tab, { id, grant, cursor, cap }) {
    this.tab = tab;
    this.id = id;
    this.grant = grant;
    this.cap = cap;
    this.cursor = cursor;
    this.#position = parseCursor(cursor);
  }

  /** Its parameter in the request for a stream. */
  get parameter() {
    return this.cursor ? this.grant + CURSOR_SEPARATOR + this.cursor : this.grant;
  }

  /**
   * Advance to an event that its connection has brought, even one of a channel that it does not follow: the connection
   * brings events in the order of the log, so nothing before this one is missing.
   *
   * @param {string} id
   * @returns {boolean} false if it was there already
   */
  advance(id) {
    const position = parseCursor(id);
    if (isCoveredBy(position, this.#position)) return false;
    if (position) {
      this.#position = position;
      this.cursor = id;
    }
    return true;
  }

  /** @param {Iterable<string>} channels */
  follows(channels) {
    return [...channels].some((channel) => this.channels?.has(channel));
  }
}
