import { BROADCAST_CHANNEL, DENIED_EVENT, OPEN_EVENT, RESET_EVENT, STATE_EVENT, SUB_PARAM } from "../protocol.js";
import { FetchEventSource } from "../stream/stream-reader.js";

/** @typedef {import("./subscription.js").Subscription} Subscription */
/** @typedef {import("../stream/parser.js").StreamEvent} StreamEvent */
/** @typedef {import("../page/page-source.js").Loss & { state: string, tries?: number, refusal?: Refusal | null }} Change */
/** @typedef {{ sub?: number, channels?: string[], reason: string }} Denial */
/** @typedef {{ denied?: Denial[] }} Refusal */

/**
 * @typedef {object} UnionOwner
 * @property {() => Subscription[]} wanted what the next attempt is to ask for
 * @property {(union: Union) => void} onOpen
 * @property {(union: Union, change: Change) => void} onChange of the connection's state, but for `live`
 * @property {(subscription: Subscription, reason: string) => void} onDenied
 * @property {(subscription: Subscription, event: StreamEvent) => void} onEvent
 */

/** One connection for many subscriptions: each gets what its grant names, from its own cursor on. */
export class Union {
  /** What the present attempt has asked for, in that order. @type {Subscription[]} */
  members = [];
  /** Whether the server has answered what was asked. */
  live = false;
  /** The connection's name at the server. */
  connection = "";
  #owner;
  #source;

  /**
   * @param {string} address of streams
   * @param {UnionOwner} owner
   * @param {Partial<import("../stream/stream-reader.js").Environment>} env
   */
  constructor(address, owner, env) {
    this.#owner = owner;
    const deliver = (/** @type {Event} */ event) => this.#receive(event);
    this.#source = new FetchEventSource(address, { ...env, request: () => this.#request(), deliver });
  }

  get heardAt() {
    return this.#source.heardAt;
  }

  /** Whether it is refused for good. */
  get closed() {
    return this.#source.readyState === FetchEventSource.CLOSED;
  }

  /** Every channel that it brings. */
  get channels() {
    return channelsOf(this.members);
  }

  /**
   * Whether it brings what these subscriptions need, and no more.
   *
   * @param {Subscription[]} wanted
   */
  fits(wanted) {
    const needed = channelsOf(wanted);
    return wanted.every((one) => this.members.includes(one)) && [...this.channels].every((name) => needed.has(name));
  }

  reconnectNow() {
    this.#source.reconnectNow();
  }

  close() {
    this.live = false;
    this.#source.close();
  }

  /** Grants go in the body: no log of addresses shows them, and there is room for many. */
  #request() {
    this.members = this.#owner.wanted();
    this.live = false;
    return { method: "POST", body: new URLSearchParams(this.members.map(({ sub }) => [SUB_PARAM, sub])) };
  }

  /** @param {Event} event */
  #receive(event) {
    if (event.type === STATE_EVENT) this.#change(/** @type {CustomEvent<Change>} */ (event).detail);
    else if (!(event instanceof MessageEvent)) return;
    else if (event.type === OPEN_EVENT) this.#open(JSON.parse(event.data));
    else if (event.type === DENIED_EVENT) this.#deny(JSON.parse(event.data));
    else this.#route(streamEvent(event));
  }

  /** @param {Change} change */
  #change(change) {
    if (change.state === "live") return; // the answer is yet to come
    this.live = false;
    this.#owner.onChange(this, change);
  }

  /** @param {{ connection: string, subs?: ({ channels: string[], expires: number } | null)[] }} greeting */
  #open({ connection, subs = [] }) {
    this.connection = connection;
    for (const [index, member] of this.members.entries()) {
      const granted = subs[index];
      member.channels = new Set(granted?.channels);
      member.expiresAt = granted ? Date.now() + granted.expires * 1000 : Number.POSITIVE_INFINITY;
    }
    this.live = true;
    this.#owner.onOpen(this);
  }

  /** @param {Refusal} refusal */
  #deny({ denied = [] }) {
    for (const { sub, channels = [], reason } of denied) {
      const meant = sub === undefined ? this.members.filter((one) => one.follows(channels)) : [this.members[sub]];
      for (const member of meant) this.#owner.onDenied(member, reason);
    }
  }

  /** @param {StreamEvent} event */
  #route(event) {
    const { channel, lastEventId } = event;
    const gap = event.type === RESET_EVENT ? JSON.parse(event.data) : null;
    const channels = gap?.channels ?? [channel];
    const isForAll = channels.includes("") || channels.includes(BROADCAST_CHANNEL);
    for (const member of this.members) {
      if (channel && !member.advance(lastEventId)) continue;
      if (!isForAll && !member.follows(channels)) continue;
      this.#owner.onEvent(member, gap ? gapOf(member, gap, event) : event);
    }
  }
}

/**
 * Let a subscription go on after a gap, and return what it is told of it: its own channels, and not those of others.
 *
 * @param {Subscription} member
 * @param {{ channels: string[], cursor: string }} gap
 * @param {StreamEvent} event
 * @returns {StreamEvent}
 */
function gapOf(member, { channels, cursor }, event) {
  member.advance(cursor);
  const own = channels.filter((name) => name === BROADCAST_CHANNEL || member.follows([name]));
  return { ...event, data: JSON.stringify({ channels: own, cursor }) };
}

/** @param {Subscription[]} subscriptions */
function channelsOf(subscriptions) {
  return new Set(subscriptions.flatMap(({ channels }) => [...(channels ?? [])]));
}

/**
 * @param {MessageEvent & Partial<StreamEvent>} event
 * @returns {StreamEvent}
 */
function streamEvent({ type, data, lastEventId, channel = "", exclude, only }) {
  return { type, data, lastEventId, channel, exclude, only };
}
