// The SharedWorker that owns the one connection of a browser. Its name has the address of the streams, and whose pages they are.

import { Hub } from "./hub.js";

const [address, namespace = ""] = self.name.split(" ");
const lock = `sse:hub:${namespace}:${crypto.getRandomValues(new Uint32Array(4)).join("-")}`;
const hub = new Hub(address, { lock: hold(lock) });

addEventListener("connect", (event) => hub.addTab(/** @type {MessageEvent} */ (event).ports[0]));
// An error in a worker appears in no page's console.
addEventListener("error", ({ message }) => hub.reportError(message));
addEventListener("unhandledrejection", ({ reason }) => hub.reportError(String(reason)));

/**
 * Hold a lock as long as this worker lives. Its tabs request the same lock, and get it when the worker has died. Where there
 * are no Web Locks, only pings detect a dead worker.
 *
 * @param {string} name
 * @returns {Promise<string>} the name, once the lock is held
 */
function hold(name) {
  return new Promise((resolve) => {
    if (!navigator.locks) return resolve(name);
    return navigator.locks.request(name, () => {
      resolve(name);
      return new Promise(() => {});
    });
  });
}
