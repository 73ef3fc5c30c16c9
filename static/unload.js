// Leaving a page, freezing it, and keeping it for the way back: its connections are let go of, and taken up again.

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
