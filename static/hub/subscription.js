import { CURSOR_SEPARATOR } from "../protocol.js";
import { isCoveredBy, parseCursor } from "../stream/cursor.js";

/** @typedef {import("../stream/cursor.js").Cursor} Cursor */

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
  /** Whether its grant goes into the request itself: another one for the same channels was refused. */
  isAlone = false;
  /** The cursor in the grant that it came with. */
  #signed;
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
    this.#signed = grant.split(".")[1] ?? "";
    this.#position = parseCursor(cursor || this.#signed);
  }

  /** Its parameter in the request for a stream. */
  get parameter() {
    return this.cursor ? this.grant + CURSOR_SEPARATOR + this.cursor : this.grant;
  }

  /** What grants have in common that permit the same to the same user: the text of the channels, and the owner. */
  get permission() {
    const [channels, , , , , owner = ""] = this.grant.split(".");
    return `${channels}.${owner}`;
  }

  /** After how many revocations the grant was issued: those that came later may end it. */
  get order() {
    return this.grant.split(".")[2] ?? "";
  }

  /** How far it is: its cursor or, before it has one, the cursor in its grant. @returns {Cursor | null} */
  get position() {
    return this.#position;
  }

  /**
   * Follow the channels of another subscription by its grant.
   *
   * @param {Subscription} other
   */
  joinWith({ grant, channels, expiresAt }) {
    if (grant !== this.grant) this.cursor ||= this.#signed;
    this.grant = grant;
    this.channels = channels;
    this.expiresAt = expiresAt;
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
