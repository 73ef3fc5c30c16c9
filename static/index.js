// Entry: what every page loads. Without a tag of their own, the scripts go by their defaults.

import "./reconnect.js";
import "./unload.js";
import "./components/index.js";
