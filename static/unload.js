// Closes the connections of a page that is left, frozen or put in the back/forward cache, and opens them again.

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
document.addEventListener("freeze", suspend);
document.addEventListener("resume", resume);
