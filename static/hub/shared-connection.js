import { BROADCAST_CHANNEL, DENIED_EVENT, HEARTBEAT_SECONDS, OPEN_EVENT, RESET_EVENT, SUB_PARAM } from "../protocol.js";
import { CLOSED } from "../stream/connection-state.js";
import { StreamReader } from "../stream/stream-reader.js";

/** @typedef {import("./subscription.js").Subscription} Subscription */
/** @typedef {import("../environment.js").Environment} Environment */
/** @typedef {import("../stream/connection-state.js").StateChange} StateChange */
/** @typedef {import("../stream/parser.js").StreamEvent} StreamEvent */
/** @typedef {{ sub?: number, channels?: string[], reason: string }} Denial */
/** @typedef {{ denied?: Denial[] }} Refusal */

/**
 * @typedef {object} SharedConnectionOwner
 * @property {() => Subscription[]} wanted what the next attempt asks for
 * @property {(connection: SharedConnection) => void} onOpen
 * @property {(connection: SharedConnection) => void} [onHeard] called when bytes have come, a heartbeat's as well
 * @property {(connection: SharedConnection, change: StateChange) => void} onState for every state but `live`
 * @property {(subscription: Subscription, reason: string) => void} onDenied
 * @property {(subscription: Subscription, event: StreamEvent) => void} onEvent
 */

/** One stream for many subscriptions: each gets what its grant names, from its own cursor on. */
export class SharedConnection {
  /** What the current attempt asked for, in that order. @type {Subscription[]} */
  members = [];
  /** Whether the server has answered the current attempt. */
  isLive = false;
  /** The server's id of this connection. */
  id = "";
  /** Seconds of silence after which the server sends a heartbeat. */
  heartbeat = HEARTBEAT_SECONDS;
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
    const hasAll = wanted.every((subscription) => this.members.includes(subscription));
    return hasAll && [...this.channels].every((channel) => needed.has(channel));
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
    this.members = this.#owner.wanted();
    this.isLive = false;
    return { method: "POST", body: new URLSearchParams(this.members.map(({ parameter }) => [SUB_PARAM, parameter])) };
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
    for (const [index, member] of this.members.entries()) {
      const granted = subs[index];
      member.channels = new Set(granted?.channels);
      member.expiresAt = granted ? this.#environment.now() + granted.expires * 1000 : Number.POSITIVE_INFINITY;
    }
    this.isLive = true;
    this.#owner.onOpen(this);
  }

  /** @param {Refusal} refusal */
  #deny({ denied = [] }) {
    for (const { sub, channels = [], reason } of denied) {
      const affected =
        sub === undefined ? this.members.filter((member) => member.follows(channels)) : [this.members[sub]];
      for (const member of affected) this.#owner.onDenied(member, reason);
    }
  }

  /** @param {StreamEvent} event */
  #route(event) {
    const { channel, lastEventId } = event;
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
