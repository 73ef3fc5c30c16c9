// Reconnects within the limits of this script's tag, and at once when the network is back or the page becomes visible.

import { dom } from "./dom.js";
import { installBridge } from "./htmx/bridge.js";
import { healNow } from "./page/heal.js";
import { limits } from "./page/limits.js";
import { scriptOptions } from "./page/script-options.js";
import { sources } from "./page/sources.js";
import { RECONNECT_ATTRIBUTE } from "./protocol.js";

Object.assign(limits, scriptOptions(RECONNECT_ATTRIBUTE, limits));
installBridge();

function reconnectNow() {
  for (const source of sources) source.reconnectNow();
  healNow();
}

addEventListener("online", reconnectNow);
dom(document).addEventListener("visibilitychange", () => {
  if (!dom(document).hidden) reconnectNow();
});
