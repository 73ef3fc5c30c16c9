import assert from "node:assert/strict";
import { it } from "node:test";
import { STATES } from "../../../static/protocol.js";
import {
  CLOSED,
  CONNECTING,
  ConnectionState,
  contentState,
  OPEN,
  worstState,
} from "../../../static/stream/connection-state.js";

/** @typedef {import("../../../static/stream/connection-state.js").Transition} Transition */

const LOSS = { status: 503, final: false, delay: 500 };

/**
 * How to get into each state.
 *
 * @type {Record<string, Transition[]>}
 */
const PATHS = {
  connecting: [],
  live: ["opened"],
  reconnecting: ["lost"],
  suspended: ["suspended"],
  denied: ["denied"],
  ended: ["ended"],
  closed: ["closed"],
};

/**
 * What each transition leads to, by the state before: `state readyState`, with a network and without one.
 *
 * @type {Record<string, Record<Transition, string | [string, string]>>}
 */
const TABLE = {
  connecting: {
    attempted: "connecting 0",
    opened: "live 1",
    lost: ["reconnecting 0", "offline 0"],
    moved: "connecting 0",
    suspended: "offline 0",
    denied: "denied 2",
    ended: "offline 2",
    closed: "offline 2",
  },
  live: {
    attempted: ["reconnecting 0", "offline 0"],
    opened: "live 1",
    lost: ["reconnecting 0", "offline 0"],
    moved: "live 0",
    suspended: "offline 0",
    denied: "denied 2",
    ended: "offline 2",
    closed: "offline 2",
  },
  reconnecting: {
    attempted: ["reconnecting 0", "offline 0"],
    opened: "live 1",
    lost: ["reconnecting 0", "offline 0"],
    moved: "reconnecting 0",
    suspended: "offline 0",
    denied: "denied 2",
    ended: "offline 2",
    closed: "offline 2",
  },
  suspended: {
    attempted: ["reconnecting 0", "offline 0"],
    opened: "live 1",
    lost: ["reconnecting 0", "offline 0"],
    moved: "offline 0",
    suspended: "offline 0",
    denied: "denied 2",
    ended: "offline 2",
    closed: "offline 2",
  },
  denied: {
    attempted: ["reconnecting 0", "offline 0"],
    opened: "live 1",
    lost: ["reconnecting 0", "offline 0"],
    moved: "denied 0",
    suspended: "denied 2",
    denied: "denied 2",
    ended: "offline 2",
    closed: "offline 2",
  },
  ended: {
    attempted: ["reconnecting 0", "offline 0"],
    opened: "live 1",
    lost: ["reconnecting 0", "offline 0"],
    moved: "offline 0",
    suspended: "offline 2",
    denied: "denied 2",
    ended: "offline 2",
    closed: "offline 2",
  },
  closed: {
    attempted: "offline 2",
    opened: "offline 2",
    lost: "offline 2",
    moved: "offline 2",
    suspended: "offline 2",
    denied: "offline 2",
    ended: "offline 2",
    closed: "offline 2",
  },
};

/** @param {Transition[]} path */
function connectionAfter(path) {
  /** @type {any[]} */
  const changes = [];
  const connection = new ConnectionState((change) => changes.push(change));
  for (const transition of path) connection.apply(transition);
  changes.length = 0;
  return { connection, changes };
}

for (const [name, row] of Object.entries(TABLE)) {
  for (const [transition, cell] of Object.entries(row)) {
    const [online, offline] = Array.isArray(cell) ? cell : [cell, cell];
    for (const [isOnline, expected] of /** @type {const} */ ([
      [true, online],
      [false, offline],
    ])) {
      it(`${name}, ${transition} ${isOnline ? "with" : "without"} a network: ${expected}`, () => {
        const { connection, changes } = connectionAfter(PATHS[name]);
        const before = connection.state;
        connection.apply(/** @type {Transition} */ (transition), { isOnline });
        assert.equal(`${connection.state} ${connection.readyState}`, expected);
        const isTold = connection.state !== before && !connection.isClosed;
        assert.deepEqual(changes, isTold ? [{ state: connection.state }] : []);
        assert.ok(STATES.includes(connection.state));
      });
    }
  }
}

it("starts as EventSource does", () => {
  const { connection } = connectionAfter([]);
  assert.deepEqual([connection.state, connection.readyState, connection.isClosed], ["connecting", CONNECTING, false]);
  assert.deepEqual([CONNECTING, OPEN, CLOSED], [0, 1, 2]);
});

it("reports every loss, even if the state stays the same", () => {
  const { connection, changes } = connectionAfter(["lost"]);
  connection.apply("lost", { loss: LOSS });
  assert.deepEqual(changes, [{ state: "reconnecting", ...LOSS }]);
});

it("reports nothing after a listener has closed it", () => {
  /** @type {string[]} */
  const states = [];
  const connection = new ConnectionState(({ state }) => {
    states.push(state);
    connection.apply("closed");
  });
  connection.apply("opened");
  connection.apply("lost", { loss: LOSS });
  assert.deepEqual([states, connection.state], [["live"], "offline"]);
});

it("content with a gap is stale whatever its connection does, and denied if the server refuses what would fill it", () => {
  for (const state of /** @type {const} */ (["connecting", "live", "offline", "denied"])) {
    assert.equal(contentState(state, { isStale: false }), state);
    assert.equal(contentState(state, { isStale: false, isRefused: true }), state);
    assert.equal(contentState(state, { isStale: true }), "stale");
    assert.equal(contentState(state, { isStale: true, isRefused: true }), "denied");
  }
});

it("the state of a page is its worst state", () => {
  assert.equal(worstState([]), "idle");
  assert.equal(worstState(["live"]), "live");
  assert.equal(worstState(["live", "stale", "connecting"]), "stale");
  assert.equal(worstState(["denied", "offline", "live"]), "denied");
});
