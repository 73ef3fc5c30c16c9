// Monitors the server's connections, with the settings of this script's tag.

import { installBridge } from "./htmx/bridge.js";
import { ConnectionMonitor } from "./page/connection-monitor.js";
import { scriptOptions } from "./page/script-options.js";
import { CONNECTIONS_PATH, MONITOR_ATTRIBUTE, PREFIX } from "./protocol.js";

const options = scriptOptions(MONITOR_ATTRIBUTE, {
  endpoint: PREFIX + CONNECTIONS_PATH,
  updateInterval: 10_000,
});

installBridge();
new ConnectionMonitor(options).start();
