// The behaviours of the components: each is loaded with the first element that needs it.

import { behaviour } from "./behaviour.js";

