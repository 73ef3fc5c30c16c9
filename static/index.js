// Entry: what a page loads.

import { installBridge } from "./htmx-bridge.js";

installBridge(Reflect.get(globalThis, "htmx"));
