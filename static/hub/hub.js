import { environment } from "../environment.js";
import { BODY_BYTES, RETRY_CAP_MS } from "../protocol.js";
import { decide } from "../stream/retry-policy.js";
import { Timer } from "../timer.js";
import { PresenceReport } from "./presence-report.js";
import { renewalDelay, renewGrants } from "./renewal.js";
import { SharedConnection } from "./shared-connection.js";
import { Subscription } from "./subscription.js";
import { TabPort } from "./tab-port.js";

/** @typedef {import("../stream/connection-state.js").StateChange} StateChange */
/** @typedef {import("./shared-connection.js").Denial} Denial */
/** @typedef {import("./tab-port.js").Payload} Payload */
/** @typedef {import("./tab-port.js").TabMessage} TabMessage */

// The elements of a page subscribe at about the same time, and a page follows another after about this time.
const WIDEN_MS = 10;
const NARROW_MS = 1_000;
// Browsers run the timers of hidden tabs once a minute, so three missed pings are no accident.
const TAB_SILENCE_MS = 200_000;
// A form has other fields, too.
const ROOM = BODY_BYTES - 1_024;
const TOO_LARGE = 413;

/**
 * Serves the elements of all its tabs over one connection, which follows what they follow together. It runs in a
 * SharedWorker for all tabs of a browser, or in a page for that page alone.
 *
 * For a new subscription it opens the wider connection first and then closes the old one. Each subscription has its own
 * cursor, so nothing is missed and nothing comes twice.
 */
export class Hub {
  #address;
  #isInWorker;
  #environment;
  /** @type {Set<TabPort>} */
  #tabs = new Set();
  /** @type {SharedConnection | null} */
  #current = null;
  /** What will replace the current connection as soon as it is open. @type {SharedConnection | null} */
  #next = null;
  /** Bytes that a request may have: less where the server, or a proxy, takes less. */
  #room = ROOM;
  #refreshTimer;
  #refreshDue = Number.POSITIVE_INFINITY;
  #renewalTimer;
  #presenceReport;

  /**
   * @param {string} address of streams
   * @param {object} [options]
   * @param {boolean} [options.isInWorker] whether it can die without its tabs
   * @param {import("../environment.js").Environment} [options.env]
   */
  constructor(address, { isInWorker = false, env = environment } = {}) {
    this.#address = address;
    this.#isInWorker = isInWorker;
    this.#environment = env;
    this.#refreshTimer = new Timer(env);
    this.#renewalTimer = new Timer(env);
    this.#presenceReport = new PresenceReport(
      address,
      { collect: () => this.#collectPresence(), onGone: (visits) => this.#removeVisits(visits) },
      env,
    );
  }

  /**
   * Serve a tab until it says goodbye or has been silent for too long.
   *
   * @param {MessagePort} port
   */
  addTab(port) {
    const tab = new TabPort(port, (message) => this.#handle(tab, message));
    tab.heardAt = this.#environment.now();
    this.#tabs.add(tab);
    tab.send({ type: "hello", isInWorker: this.#isInWorker });
    this.#tellServing();
  }

  /**
   * Have each tab report an error of this hub.
   *
   * @param {string} message
   */
  reportError(message) {
    for (const tab of this.#tabs) tab.send({ type: "error", message });
  }

  /**
   * @param {TabPort} tab
   * @param {TabMessage} message
   */
  #handle(tab, message) {
    tab.heardAt = this.#environment.now();
    if (message.type === "visit") tab.visit = message.visit;
    else if (message.type === "subscribe") this.#subscribe(tab, message.subscription);
    else if (message.type === "unsubscribe") this.#unsubscribe(tab, message.id);
    else if (message.type === "presence") this.#setPresence(tab, message.presence);
    else if (message.type === "reconnect") for (const connection of this.#connections()) connection.reconnectNow();
    else if (message.type === "ping") this.#answerPing(tab);
    else if (message.type === "bye") this.#removeTab(tab);
  }

  /**
   * @param {TabPort} tab
   * @param {import("./subscription.js").SubscriptionRequest} request
   */
  #subscribe(tab, request) {
    this.#end(tab.subscriptions.get(request.id));
    tab.subscriptions.set(request.id, new Subscription(tab, request));
    this.#refreshWithin(WIDEN_MS);
  }

  /**
   * @param {TabPort} tab
   * @param {string} id
   */
  #unsubscribe(tab, id) {
    this.#end(tab.subscriptions.get(id));
    this.#refreshWithin(NARROW_MS);
  }

  /** @param {TabPort} tab */
  #removeTab(tab) {
    if (!this.#tabs.delete(tab)) return;
    for (const subscription of tab.subscriptions.values()) this.#end(subscription);
    tab.close();
    this.#refreshWithin(NARROW_MS);
    this.#presenceReport.update();
    this.#tellServing();
  }

  /**
   * Remove tabs that have said goodbye to the server, and whose goodbye did not arrive here.
   *
   * @param {string[]} visits
   */
  #removeVisits(visits) {
    for (const tab of [...this.#tabs].filter(({ visit }) => visits.includes(visit))) this.#removeTab(tab);
  }

  /** Tell the tabs what they need for their goodbye to the server. Of many tabs, each needs to know only that it is not alone. */
  #tellServing() {
    const isAlone = this.#tabs.size === 1;
    const connection = this.#current?.isLive ? this.#current.id : "";
    for (const tab of this.#tabs) tab.tellServing({ connection, isAlone });
  }

  /**
   * @param {TabPort} tab
   * @param {import("./tab-port.js").Presence} presence
   */
  #setPresence(tab, presence) {
    tab.presence = presence;
    this.#presenceReport.update();
  }

  #collectPresence() {
    const tabs = [...this.#tabs].flatMap(({ presence, visit }) => (presence ? { ...presence, visit } : []));
    return { connection: this.#current?.isLive ? this.#current.id : "", tabs };
  }

  /** @param {TabPort} tab */
  #answerPing(tab) {
    const cursors = [...tab.subscriptions].map(([id, { cursor }]) => [id, cursor]);
    tab.send({ type: "pong", heardAt: this.#current?.heardAt ?? 0, cursors: Object.fromEntries(cursors) });
    const oldest = this.#environment.now() - TAB_SILENCE_MS;
    for (const silent of [...this.#tabs].filter(({ heardAt }) => heardAt < oldest)) this.#removeTab(silent);
  }

  /** @param {Subscription | undefined} subscription */
  #end(subscription) {
    if (!subscription) return;
    subscription.hasEnded = true;
    subscription.tab.subscriptions.delete(subscription.id);
  }

  #wanted() {
    return [...this.#tabs].flatMap(({ subscriptions }) => [...subscriptions.values()]);
  }

  #connections() {
    return [this.#current, this.#next].filter((connection) => connection !== null);
  }

  // ---------------------------------------------------------------- one connection for all subscriptions

  /** @param {number} milliseconds */
  #refreshWithin(milliseconds) {
    const due = this.#environment.now() + milliseconds;
    if (due >= this.#refreshDue) return;
    this.#refreshDue = due;
    this.#refreshTimer.start(milliseconds, () => this.#refresh());
  }

  /** Adapt the connection to the subscriptions. A connection that is not open will ask for them when it reconnects. */
  #refresh() {
    this.#refreshDue = Number.POSITIVE_INFINITY;
    const wanted = this.#wanted();
    if (wanted.length === 0) this.#close();
    else if (!this.#current || this.#current.isRefused) this.#current = this.#open();
    else if (!this.#current.isLive) this.#current.reconnectNow();
    else if (!this.#next) this.#adapt(this.#current, wanted);
  }

  /**
   * @param {SharedConnection} connection
   * @param {Subscription[]} wanted
   */
  #adapt(connection, wanted) {
    connection.take(wanted);
    this.#announce(connection);
    if (!connection.fits(wanted)) this.#next = this.#open();
  }

  #open() {
    return new SharedConnection(
      this.#address,
      {
        wanted: () => this.#wanted(),
        room: () => this.#room,
        onApart: () => this.#refreshWithin(WIDEN_MS),
        onOpen: (connection) => this.#onOpen(connection),
        onHeard: (connection) => {
          if (connection === this.#current) this.#presenceReport.renew(connection.heartbeat);
        },
        onState: (connection, change) => this.#onState(connection, change),
        onDenied: (subscription, reason) => this.#deny(subscription, reason),
        onEvent: (subscription, payload) => this.#deliver(subscription, { type: "event", payload }),
      },
      { policy: (attempt) => decide({ ...attempt, cap: this.#cap() }), env: this.#environment },
    );
  }

  /** The longest back-off that all pages accept. */
  #cap() {
    return Math.min(RETRY_CAP_MS, ...this.#wanted().map(({ cap }) => cap));
  }

  #close() {
    for (const connection of this.#connections()) connection.close();
    this.#current = this.#next = null;
    this.#renewalTimer.stop();
    this.#presenceReport.update();
  }

  /** @param {SharedConnection} connection */
  #onOpen(connection) {
    if (connection === this.#next) this.#promoteNext();
    this.#announce(connection);
    this.#renewWithin(renewalDelay(connection.members, this.#environment.now()));
    this.#presenceReport.update();
    this.#tellServing();
    if (!connection.fits(this.#wanted())) this.#refreshWithin(WIDEN_MS);
  }

  /** @param {SharedConnection} connection */
  #announce(connection) {
    const payload = /** @type {const} */ ({ state: "live" });
    for (const subscription of connection.members.filter(isNewlyLive)) {
      subscription.isLive = true;
      this.#deliver(subscription, { type: "state", payload });
    }
  }

  #promoteNext() {
    this.#current?.close();
    this.#current = this.#next;
    this.#next = null;
  }

  /**
   * @param {SharedConnection} connection
   * @param {StateChange} change
   */
  #onState(connection, change) {
    if (isRefusal(change)) return this.#refuseAll(connection, change.refusal?.denied);
    if (change.status === TOO_LARGE) return this.#askForLess(connection);
    if (connection === this.#current && this.#next) this.#promoteNext();
    if (connection === this.#next && change.final) this.#next = null;
    if (!this.#current?.isLive) this.#passOn(change);
  }

  /**
   * @param {SharedConnection} connection
   * @param {Denial[]} [denied]
   */
  #refuseAll(connection, denied = []) {
    const reasons = new Map(denied.map(({ sub, reason }) => [sub, reason]));
    for (let index = 0; index < connection.count; index += 1)
      connection.refuse(index, reasons.get(index) ?? "forbidden");
    this.#close();
    this.#refreshWithin(WIDEN_MS);
  }

  /**
   * What no longer fits is refused; the rest goes on.
   *
   * @param {SharedConnection} connection
   */
  #askForLess(connection) {
    this.#room = Math.floor(connection.size / 2);
    if (connection === this.#next) this.#next = null;
    this.#refreshWithin(WIDEN_MS);
  }

  /** @param {StateChange} change */
  #passOn({ error, ...change }) {
    const payload = { ...change, error: error ? String(error) : null }; // not every error can be cloned
    for (const subscription of this.#wanted()) {
      subscription.isLive = false;
      this.#deliver(subscription, { type: "state", payload });
    }
  }

  /**
   * @param {Subscription} subscription
   * @param {string} reason
   */
  #deny(subscription, reason) {
    if (subscription.hasEnded) return;
    this.#deliver(subscription, { type: "denied", payload: { reason } });
    this.#end(subscription);
    this.#refreshWithin(NARROW_MS);
  }

  /**
   * @param {Subscription} subscription
   * @param {Payload} delivery
   */
  #deliver(subscription, delivery) {
    if (!subscription.hasEnded) subscription.tab.deliver(subscription.id, delivery);
  }

  // ---------------------------------------------------------------- grants expire

  /** @param {number} milliseconds */
  #renewWithin(milliseconds) {
    this.#renewalTimer.start(milliseconds, () => this.#renew());
  }

  async #renew() {
    const connection = this.#current;
    const groups = connection?.inUse ?? [];
    if (!connection?.isLive || groups.length === 0) return; // the next connection starts the timer again
    const { fetch, now } = this.#environment;
    const leaders = groups.map(([leader]) => leader);
    const answers = await renewGrants(this.#address, connection.id, leaders, fetch);
    if (connection !== this.#current || !connection.isLive) return;
    for (const [index, answer] of (answers ?? []).entries())
      for (const member of groups[index]) this.#adopt(member, answer);
    this.#renewWithin(renewalDelay(connection.inUse.flat(), now()));
  }

  /**
   * @param {Subscription} subscription
   * @param {import("./renewal.js").Answer} answer
   */
  #adopt(subscription, answer) {
    if (subscription.hasEnded) return;
    if ("denied" in answer) return this.#deny(subscription, answer.denied);
    subscription.grant = answer.grant;
    subscription.expiresAt = this.#environment.now() + answer.expires * 1000;
    this.#deliver(subscription, { type: "renewed", payload: { grant: answer.grant } });
  }
}

/** @param {Subscription} subscription */
function isNewlyLive({ isLive, channels, hasEnded }) {
  return !isLive && !hasEnded && channels !== null && channels.size > 0;
}

/** @param {StateChange} change */
function isRefusal({ final, status }) {
  return final === true && (status === 401 || status === 403);
}
