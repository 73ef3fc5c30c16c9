// The SharedWorker that owns the one connection of a browser. Its name is the address of the streams.

import { Hub } from "./hub.js";

const lock = `sse:hub:${crypto.getRandomValues(new Uint32Array(4)).join("-")}`;
const hub = new Hub(self.name, held(lock));
/** @type {MessagePort[]} */
const ports = [];

addEventListener("connect", (event) => {
  const [port] = /** @type {MessageEvent} */ (event).ports;
  ports.push(port);
  hub.join(port);
});

/**
 * Hold a lock as long as this worker lives: its tabs wait for it, once they are told that it is held. Where there are no
 * locks, they ask the worker now and then.
 *
 * @param {string} name
 * @returns {Promise<string>} the name, as soon as it is held
 */
function held(name) {
  return new Promise((resolve) => {
    if (!navigator.locks) return resolve(name);
    return navigator.locks.request(name, () => {
      resolve(name);
      return new Promise(() => {});
    });
  });
}

/** @param {string} text */
function tell(text) {
  for (const port of ports) port.postMessage({ type: "trouble", text });
}

addEventListener("error", ({ message }) => tell(message));
addEventListener("unhandledrejection", ({ reason }) => tell(String(reason)));
