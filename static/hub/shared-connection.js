import { BROADCAST_CHANNEL, DENIED_EVENT, HEARTBEAT_SECONDS, OPEN_EVENT, RESET_EVENT, SUB_PARAM } from "../protocol.js";
import { CLOSED } from "../stream/connection-state.js";
import { isCoveredBy, parseCursor } from "../stream/cursor.js";
import { StreamReader } from "../stream/stream-reader.js";
import { merged, sizeOf } from "./merged.js";

/** @typedef {import("./subscription.js").Subscription} Subscription */
/** @typedef {import("./merged.js").Group} Group */
/** @typedef {import("../environment.js").Environment} Environment */
/** @typedef {import("../stream/connection-state.js").StateChange} StateChange */
/** @typedef {import("../stream/parser.js").StreamEvent} StreamEvent */
/** @typedef {{ sub?: number, channels?: string[], reason: string }} Denial */
/** @typedef {{ denied?: Denial[] }} Refusal */

/**
 * @typedef {object} SharedConnectionOwner
 * @property {() => Subscription[]} wanted what the next attempt asks for
 * @property {() => number} room bytes that the next attempt's request may have
 * @property {(connection: SharedConnection) => void} onOpen
 * @property {(connection: SharedConnection) => void} [onHeard] called when bytes have come, a heartbeat's as well
 * @property {(connection: SharedConnection, change: StateChange) => void} onState for every state but `live`
 * @property {(subscription: Subscription, reason: string) => void} onDenied
 * @property {() => void} onApart called when it no longer serves some subscriptions, which the next one asks for
 * @property {(subscription: Subscription, event: StreamEvent) => void} onEvent
 */

/**
 * One stream for many subscriptions: each gets what its grant names, from its own cursor on. Of grants that permit the same,
 * it sends one.
 */
export class SharedConnection {
  /** Whether the server has answered the current attempt. */
  isLive = false;
  /** The server's id of this connection. */
  id = "";
  /** Seconds of silence after which the server sends a heartbeat. */
  heartbeat = HEARTBEAT_SECONDS;
  /** Bytes of the current attempt's request. */
  size = 0;
  /** What each grant of the current attempt is for, in the order of the request. @type {Group[]} */
  #groups = [];
  /** The last event that has come of each channel. @type {Map<string, import("../stream/cursor.js").Cursor | null>} */
  #latest = new Map();
  #owner;
  #environment;
  #reader;

  /**
   * @param {string} address of streams
   * @param {SharedConnectionOwner} owner
   * @param {{ policy: import("../stream/stream-reader.js").StreamOptions["policy"], env: Environment }} options
   */
  constructor(address, owner, { policy, env }) {
    this.#owner = owner;
    this.#environment = env;
    const request = () => this.#newRequest();
    this.#reader = new StreamReader(
      address,
      {
        onHeard: () => this.#owner.onHeard?.(this),
        onState: (change) => this.#changeState(change),
        onEvent: (event) => this.#receive(event),
      },
      { withCredentials: true, policy, request },
      env,
    );
  }

  get heardAt() {
    return this.#reader.heardAt;
  }

  /** Whether the server refused it. */
  get isRefused() {
    return this.#reader.readyState === CLOSED;
  }

  /** What it serves. */
  get members() {
    return this.#groups.flatMap(({ members }) => members);
  }

  /** How many grants it has asked for. */
  get count() {
    return this.#groups.length;
  }

  /** Those of its grants that somebody needs, each with the subscriptions that it is for. */
  get inUse() {
    const groups = this.#groups.map(({ members }) => members.filter(({ hasEnded }) => !hasEnded));
    return groups.filter(({ length }) => length > 0);
  }

  /** Every channel that it brings. */
  get channels() {
    return channelsOf(this.members);
  }

  /**
   * Tell whether it brings what these subscriptions need, and nothing else.
   *
   * @param {Subscription[]} wanted
   */
  fits(wanted) {
    const needed = channelsOf(wanted);
    const members = new Set(this.members);
    const hasAll = wanted.every((subscription) => members.has(subscription));
    return hasAll && [...this.channels].every((channel) => needed.has(channel));
  }

  /**
   * Serve these subscriptions, too, as far as that needs no other request: a grant that it uses permits the same, and nothing
   * has come that they have not had.
   *
   * @param {Subscription[]} subscriptions
   */
  take(subscriptions) {
    const members = new Set(this.members);
    for (const subscription of subscriptions.filter((candidate) => !members.has(candidate))) {
      const group = this.#groups.find((candidate) => this.#covers(candidate, subscription));
      group?.members.push(subscription);
      if (group) subscription.joinWith(group.members[0]);
    }
  }

  /**
   * @param {Group} group
   * @param {Subscription} subscription
   */
  #covers({ members: [leader], start }, { permission, order, position, isAlone }) {
    if (isAlone || permission !== leader.permission || order !== leader.order || !leader.channels?.size) return false;
    const had = [...leader.channels, BROADCAST_CHANNEL].map((channel) => this.#latest.get(channel) ?? start);
    return had.every((latest) => isCoveredBy(latest, position));
  }

  reconnectNow() {
    this.#reader.reconnectNow();
  }

  close() {
    this.isLive = false;
    this.#reader.close();
  }

  /** Grants go in the body: it has room for many, and access logs do not show it. */
  #newRequest() {
    this.isLive = false;
    this.#latest.clear();
    this.#groups = this.#fitting(merged(this.#owner.wanted(), this.#owner.room()));
    const leaders = this.#groups.map(({ members }) => members[0]);
    const body = new URLSearchParams(leaders.map(({ parameter }) => [SUB_PARAM, parameter]));
    return { method: "POST", body };
  }

  /**
   * Refuse what there is no room for. What was refused together with others waits, until those before it are settled.
   *
   * @param {Group[]} groups
   */
  #fitting(groups) {
    this.size = 0;
    const fitting = groups.filter((group) => {
      const size = this.size + sizeOf(group);
      if (size <= this.#owner.room()) this.size = size;
      return size <= this.#owner.room();
    });
    const others = groups.filter((group) => !fitting.includes(group)).flatMap(({ members }) => members);
    for (const member of others) if (!member.isAlone) this.#owner.onDenied(member, "limit");
    return fitting;
  }

  /** @param {StateChange} change */
  #changeState(change) {
    if (change.state === "live") return; // `sse:open` is still to come
    this.isLive = false;
    this.#owner.onState(this, change);
  }

  /** @param {StreamEvent} event */
  #receive(event) {
    if (event.type === OPEN_EVENT) this.#open(JSON.parse(event.data));
    else if (event.type === DENIED_EVENT) this.#deny(JSON.parse(event.data));
    else if (event.type === RESET_EVENT) this.#reset(event, JSON.parse(event.data));
    else this.#route(event);
  }

  /** @param {{ connection: string, heartbeat?: number, subs?: ({ channels: string[], expires: number } | null)[] }} greeting */
  #open({ connection, heartbeat = HEARTBEAT_SECONDS, subs = [] }) {
    this.id = connection;
    this.heartbeat = heartbeat;
    for (const [index, { members }] of this.#groups.entries()) this.#grant(members, subs[index]);
    this.isLive = true;
    this.#owner.onOpen(this);
  }

  /**
   * @param {Subscription[]} members of one group
   * @param {{ channels: string[], expires: number } | null} [granted]
   */
  #grant(members, granted) {
    const [leader] = members;
    leader.channels = new Set(granted?.channels);
    leader.expiresAt = granted ? this.#environment.now() + granted.expires * 1000 : Number.POSITIVE_INFINITY;
    if (!granted) return;
    leader.isAlone = false;
    for (const member of members) member.joinWith(leader);
  }

  /** @param {Refusal} refusal */
  #deny({ denied = [] }) {
    for (const { sub, channels = [], reason } of denied) {
      if (sub !== undefined) this.refuse(sub, reason);
      else for (const member of this.members) if (member.follows(channels)) this.#owner.onDenied(member, reason);
    }
  }

  /**
   * Refuse a grant of the request. It takes nobody else with it: other grants that permit the same are asked for by themselves.
   *
   * @param {number} index
   * @param {string} reason
   */
  refuse(index, reason) {
    const group = this.#groups[index];
    const { grant } = group.members[0];
    const [refused, others] = [true, false].map((is) =>
      group.members.filter((member) => is === (member.grant === grant)),
    );
    group.members = refused;
    for (const member of others) member.isAlone = true;
    for (const member of refused) this.#owner.onDenied(member, reason);
    if (others.length > 0) this.#owner.onApart();
  }

  /** @param {StreamEvent} event */
  #route(event) {
    const { channel, lastEventId } = event;
    if (channel) this.#latest.set(channel, parseCursor(lastEventId));
    for (const member of this.members) {
      if (channel && !member.advance(lastEventId)) continue;
      if (isForAll(channel) || member.follows([channel])) this.#owner.onEvent(member, event);
    }
  }

  /**
   * Report to each subscription which of its channels have a gap, and let it continue after the gap.
   *
   * @param {StreamEvent} event
   * @param {{ channels: string[], cursor: string }} gap
   */
  #reset(event, { channels, cursor }) {
    for (const channel of channels) this.#latest.set(channel, parseCursor(cursor));
    for (const member of this.members) {
      if (event.channel && !member.advance(event.lastEventId)) continue;
      if (!channels.some(isForAll) && !member.follows(channels)) continue;
      member.advance(cursor);
      const own = channels.filter((channel) => member.follows([channel]));
      this.#owner.onEvent(member, { ...event, data: JSON.stringify({ channels: own, cursor }) });
    }
  }
}

/** @param {string} channel "" for an event of the connection itself */
function isForAll(channel) {
  return channel === "" || channel === BROADCAST_CHANNEL;
}

/** @param {Subscription[]} subscriptions */
function channelsOf(subscriptions) {
  return new Set(subscriptions.flatMap(({ channels }) => [...(channels ?? [])]));
}
