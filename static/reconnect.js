// When to reconnect: within the limits of this script's tag, and at once when there is new hope.

import { healNow } from "./heal.js";
import { installBridge } from "./htmx-bridge.js";
import { limits } from "./limits.js";
import { RECONNECT_ATTRIBUTE } from "./protocol.js";
import { scriptOptions } from "./script-options.js";
import { sources } from "./sources.js";

Object.assign(limits, scriptOptions(RECONNECT_ATTRIBUTE, limits));
installBridge();

function tryNow() {
  for (const source of sources) source.reconnectNow();
  healNow();
}

addEventListener("online", tryNow);
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) tryNow();
});
