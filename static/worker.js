// The SharedWorker that owns the one connection of a browser. Its name is the address of the streams.

import { Hub } from "./hub.js";

const lock = `sse:hub:${crypto.getRandomValues(new Uint32Array(4)).join("-")}`;
const hub = new Hub(self.name, lock);
/** @type {MessagePort[]} */
const ports = [];

addEventListener("connect", (event) => {
  const [port] = /** @type {MessageEvent} */ (event).ports;
  ports.push(port);
  hub.join(port);
});

// Held as long as this worker lives: its tabs wait for it. Without locks they ask it now and then.
navigator.locks?.request(lock, () => new Promise(() => {}));

/** @param {string} text */
function tell(text) {
  for (const port of ports) port.postMessage({ type: "trouble", text });
}

addEventListener("error", ({ message }) => tell(message));
addEventListener("unhandledrejection", ({ reason }) => tell(String(reason)));
