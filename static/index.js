// What every page loads. Without a script tag of its own, each script uses its default settings.

import "./reconnect.js";
import "./unload.js";
import "./components/index.js";
