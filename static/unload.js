// Closes the connections of a page that is left, frozen or put in the back/forward cache, and opens them again.

import { dom } from "./dom.js";
import { installBridge } from "./htmx/bridge.js";
import { healNow } from "./page/heal.js";
import { sources } from "./page/sources.js";

installBridge();

function suspend() {
  for (const source of sources) source.suspend();
}

function resume() {
  for (const source of sources) source.resume();
  healNow();
}

addEventListener("pagehide", suspend);
addEventListener("pageshow", resume);
dom(document).addEventListener("freeze", suspend);
dom(document).addEventListener("resume", resume);
