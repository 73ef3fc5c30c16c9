// Every page loads this. A script without a separate script tag uses its default settings.

import "./reconnect.js";
import "./unload.js";
import "./components/index.js";
