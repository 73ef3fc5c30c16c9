import { RETRY_CAP_MS } from "../protocol.js";
import { decide, LONGEST_TIMEOUT_MS } from "../stream/retry-policy.js";
import { Attendance } from "./presence-report.js";
import { renew, renewalDelay } from "./renewal.js";
import { Union } from "./shared-connection.js";
import { Subscription } from "./subscription.js";
import { TabPort } from "./tab-port.js";

/** @typedef {import("../stream/parser.js").StreamEvent} StreamEvent */
/** @typedef {import("./shared-connection.js").Change} Change */
/** @typedef {import("./shared-connection.js").Denial} Denial */

// Milliseconds. The elements of a page come at once, and one page comes when another goes.
const WIDEN_MS = 10;
const NARROW_MS = 1_000;
// Browsers let the timers of hidden tabs run once a minute.
const TAB_SILENCE_MS = 200_000;

/**
 * Serves any number of elements, of any number of tabs, over one connection, which follows what they follow together. It
 * runs in a SharedWorker for all tabs of a browser, or in a page for that page alone.
 *
 * When somebody comes with something new, the wider connection is opened first, and then the old one is closed: each
 * subscription has a cursor of its own, so that nothing is missed and nothing comes twice.
 */
export class Hub {
  #address;
  #name;
  #env;
  /** @type {Set<TabPort>} */
  #tabs = new Set();
  /** @type {Union | null} */
  #current = null;
  /** What is to take the place of the current one. @type {Union | null} */
  #next = null;
  /** @type {any} */
  #timer = null;
  #due = Number.POSITIVE_INFINITY;
  /** @type {any} */
  #renewal = null;
  #attendance;

  /**
   * @param {string} address of streams
   * @param {string | Promise<string>} [name] of the lock that is held as long as this hub lives, once it is held
   * @param {Partial<import("../stream/stream-reader.js").Environment>} [env]
   */
  constructor(address, name = "", env = {}) {
    this.#address = address;
    this.#name = name;
    this.#attendance = new Attendance(address, () => this.#present());
    const cap = () => Math.min(RETRY_CAP_MS, ...this.#wanted().map((one) => one.cap));
    /** @type {typeof decide} */
    const policy = (loss) => decide({ ...loss, cap: cap() });
    this.#env = { withCredentials: true, policy, ...env };
  }

  /**
   * Serve a tab.
   *
   * @param {MessagePort} port
   */
  async join(port) {
    const tab = new TabPort(port);
    tab.heardAt = Date.now();
    this.#tabs.add(tab);
    port.onmessage = ({ data }) => this.#hear(tab, data);
    port.postMessage({ type: "hello", lock: await this.#name });
  }

  /**
   * @param {TabPort} tab
   * @param {any} message
   */
  #hear(tab, message) {
    tab.heardAt = Date.now();
    if (message.type === "subscribe") this.#subscribe(tab, message.wish);
    else if (message.type === "unsubscribe") this.#unsubscribe(tab, message.id);
    else if (message.type === "retry") for (const union of this.#unions()) union.reconnectNow();
    else if (message.type === "present") this.#place(tab, message.presence);
    else if (message.type === "ping") this.#answer(tab);
    else if (message.type === "bye") this.#leave(tab);
  }

  /**
   * @param {TabPort} tab
   * @param {import("./subscription.js").Wish} wish
   */
  #subscribe(tab, wish) {
    this.#end(tab.subscriptions.get(wish.id));
    tab.subscriptions.set(wish.id, new Subscription(tab, wish));
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
  #leave(tab) {
    this.#tabs.delete(tab);
    for (const subscription of tab.subscriptions.values()) this.#end(subscription);
    tab.port.close();
    this.#refreshWithin(NARROW_MS);
    this.#attendance.change();
  }

  /**
   * @param {TabPort} tab
   * @param {import("./hub-client.js").Presence} presence
   */
  #place(tab, presence) {
    tab.presence = presence;
    this.#attendance.change();
  }

  #present() {
    const tabs = [...this.#tabs].flatMap(({ presence }) => presence ?? []);
    return { connection: this.#current?.live ? this.#current.connection : "", tabs };
  }

  /** @param {TabPort} tab */
  #answer(tab) {
    const cursors = [...tab.subscriptions].map(([id, { cursor }]) => [id, cursor]);
    tab.port.postMessage({ type: "pong", heardAt: this.#current?.heardAt ?? 0, cursors: Object.fromEntries(cursors) });
    const longAgo = Date.now() - TAB_SILENCE_MS;
    for (const one of [...this.#tabs]) if (one.heardAt < longAgo) this.#leave(one);
  }

  /** @param {Subscription | undefined} subscription */
  #end(subscription) {
    if (!subscription) return;
    subscription.ended = true;
    subscription.tab.subscriptions.delete(subscription.id);
  }

  #wanted() {
    return [...this.#tabs].flatMap(({ subscriptions }) => [...subscriptions.values()]);
  }

  #unions() {
    return [this.#current, this.#next].filter((union) => union !== null);
  }

  // ---------------------------------------------------------------- one connection, for what is wanted now

  /** @param {number} milliseconds */
  #refreshWithin(milliseconds) {
    const due = Date.now() + milliseconds;
    if (due >= this.#due) return;
    clearTimeout(this.#timer);
    this.#due = due;
    this.#timer = setTimeout(() => this.#refresh(), milliseconds);
  }

  /** Let the connection be for what is wanted. One that is not open will ask for that by itself. */
  #refresh() {
    this.#due = Number.POSITIVE_INFINITY;
    const wanted = this.#wanted();
    if (wanted.length === 0) this.#close();
    else if (!this.#current || this.#current.closed) this.#current = this.#open();
    else if (!this.#current.live) this.#current.reconnectNow();
    else if (!this.#next && !this.#current.fits(wanted)) this.#next = this.#open();
  }

  #open() {
    return new Union(
      this.#address,
      {
        wanted: () => this.#wanted(),
        onOpen: (union) => this.#opened(union),
        onChange: (union, change) => this.#changed(union, change),
        onDenied: (subscription, reason) => this.#denied(subscription, reason),
        onEvent: (subscription, event) => this.#pass(subscription, event),
      },
      this.#env,
    );
  }

  #close() {
    for (const union of this.#unions()) union.close();
    this.#current = this.#next = null;
    clearTimeout(this.#renewal);
    this.#attendance.change();
  }

  /** @param {Union} union */
  #opened(union) {
    if (union === this.#next) this.#promote();
    const opened = union.members.filter((one) => !one.live && one.channels?.size && !one.ended);
    const state = { state: "live" };
    for (const subscription of opened) {
      subscription.live = true;
      subscription.tab.tell(subscription.id, state, "state");
    }
    this.#renewWithin(renewalDelay(union.members));
    this.#attendance.change();
    if (!union.fits(this.#wanted())) this.#refreshWithin(WIDEN_MS);
  }

  #promote() {
    this.#current?.close();
    this.#current = this.#next;
    this.#next = null;
  }

  /**
   * @param {Union} union
   * @param {Change} change
   */
  #changed(union, change) {
    if (isRefusal(change)) return this.#refuse(union, change.refusal?.denied);
    if (union === this.#current && this.#next) this.#promote();
    if (union === this.#next && change.final) this.#next = null;
    if (!this.#current?.live) this.#tell(change);
  }

  /**
   * @param {Union} union
   * @param {Denial[]} [denied]
   */
  #refuse(union, denied = []) {
    const reasons = new Map(denied.map(({ sub, reason }) => [sub, reason]));
    for (const [index, member] of union.members.entries()) this.#denied(member, reasons.get(index) ?? "forbidden");
    this.#close();
    this.#refreshWithin(WIDEN_MS);
  }

  /** @param {Change} change */
  #tell({ error, ...change }) {
    const told = { ...change, error: error ? String(error) : null };
    for (const subscription of this.#wanted()) {
      subscription.live = false;
      subscription.tab.tell(subscription.id, told, "state");
    }
  }

  /**
   * @param {Subscription} subscription
   * @param {string} reason
   */
  #denied(subscription, reason) {
    if (subscription.ended) return;
    this.#end(subscription);
    subscription.tab.tell(subscription.id, { reason }, "denied");
    this.#refreshWithin(NARROW_MS);
  }

  /**
   * @param {Subscription} subscription
   * @param {StreamEvent} event
   */
  #pass(subscription, event) {
    if (!subscription.ended) subscription.tab.tell(subscription.id, event, "event");
  }

  // ---------------------------------------------------------------- grants run out

  /** @param {number} milliseconds */
  #renewWithin(milliseconds) {
    clearTimeout(this.#renewal);
    this.#renewal = setTimeout(() => this.#renew(), Math.min(milliseconds, LONGEST_TIMEOUT_MS));
  }

  async #renew() {
    const union = this.#current;
    const members = union?.members.filter(({ ended }) => !ended) ?? [];
    if (!union?.live || members.length === 0) return; // the next connection has its own time
    const answers = await renew(this.#address, union.connection, members);
    if (union !== this.#current || !union.live) return;
    for (const [index, answer] of (answers ?? []).entries()) this.#renewed(members[index], answer);
    this.#renewWithin(renewalDelay(members.filter(({ ended }) => !ended)));
  }

  /**
   * @param {Subscription} subscription
   * @param {import("./renewal.js").Answer} answer
   */
  #renewed(subscription, answer) {
    if ("denied" in answer) return this.#denied(subscription, answer.denied);
    subscription.grant = answer.grant;
    subscription.expiresAt = Date.now() + answer.expires * 1000;
    subscription.tab.tell(subscription.id, { grant: answer.grant }, "renewed");
  }
}

/** @param {Change} change */
function isRefusal({ final, status }) {
  return final === true && (status === 401 || status === 403);
}
