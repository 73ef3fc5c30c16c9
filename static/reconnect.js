// When to reconnect: within the limits of this script's tag, and at once when there is new hope.

import { installBridge } from "./htmx/bridge.js";
import { healNow } from "./page/heal.js";
import { limits } from "./page/limits.js";
import { scriptOptions } from "./page/script-options.js";
import { sources } from "./page/sources.js";
import { RECONNECT_ATTRIBUTE } from "./protocol.js";

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
