// The SharedWorker that owns the one connection of a browser. Its name has the address of the streams, and whose pages they are.
// It holds no Web Lock by which its tabs could notice its death: Firefox would keep none of them in its back-forward cache.

import { Hub } from "./hub.js";

const [address] = self.name.split(" ");
const hub = new Hub(address, { isInWorker: true });

addEventListener("connect", (event) => hub.addTab(/** @type {MessageEvent} */ (event).ports[0]));
// An error in a worker appears in no page's console.
addEventListener("error", ({ message }) => hub.reportError(message));
addEventListener("unhandledrejection", ({ reason }) => hub.reportError(String(reason)));
