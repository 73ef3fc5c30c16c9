// The behaviours of the components: each is loaded with the first element that needs it.

import { behaviour } from "./registry.js";

behaviour("[data-sse-log-tail]", () => import("./log-tail.js"));
behaviour("[data-sse-status]", () => import("./connection-status.js"));
behaviour("[data-sse-numbers]", () => import("./connection-stats.js"));
behaviour("[data-sse-synced]", () => import("./synced-browser.js"));
behaviour("[data-sse-said]", () => import("./synced-server.js"));
behaviour("[data-sse-live-text]", () => import("./live-text.js"));
behaviour("[data-sse-live-list]", () => import("./live-list.js"));
behaviour("[data-sse-live-region]", () => import("./live-region.js"));
behaviour("[data-sse-toasts]", () => import("./toast-stack.js"));
behaviour("[data-sse-room]", () => import("./presence.js"));
behaviour("[data-sse-session-guard]", () => import("./session-guard.js"));
behaviour("[data-sse-sign-out]", () => import("./sign-out.js"));
