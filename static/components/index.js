// Which elements have which component. The module of a component is loaded with the first element that needs it.

import {
  LIVE_LIST_ATTRIBUTE,
  LIVE_REGION_ATTRIBUTE,
  LIVE_TEXT_ATTRIBUTE,
  LOG_TAIL_ATTRIBUTE,
  NUMBERS_ATTRIBUTE,
  ROOM_ATTRIBUTE,
  SAID_ATTRIBUTE,
  SESSION_GUARD_ATTRIBUTE,
  SIGN_OUT_ATTRIBUTE,
  STATUS_ATTRIBUTE,
  SYNCED_ATTRIBUTE,
  TOASTS_ATTRIBUTE,
} from "../protocol.js";
import { ComponentRegistry } from "./registry.js";

const registry = new ComponentRegistry();

registry.define(`[${LOG_TAIL_ATTRIBUTE}]`, async () => (await import("./log-tail.js")).LogTail);
registry.define(`[${STATUS_ATTRIBUTE}]`, async () => (await import("./connection-status.js")).ConnectionStatus);
registry.define(`[${NUMBERS_ATTRIBUTE}]`, async () => (await import("./connection-stats.js")).ConnectionStats);
registry.define(`[${SYNCED_ATTRIBUTE}]`, async () => (await import("./synced-browser.js")).SyncedByBrowser);
registry.define(`[${SAID_ATTRIBUTE}]`, async () => (await import("./synced-server.js")).SyncedByServer);
registry.define(`[${LIVE_TEXT_ATTRIBUTE}]`, async () => (await import("./live-text.js")).LiveText);
registry.define(`[${LIVE_LIST_ATTRIBUTE}]`, async () => (await import("./live-list.js")).LiveList);
registry.define(`[${LIVE_REGION_ATTRIBUTE}]`, async () => (await import("./live-region.js")).LiveRegion);
registry.define(`[${TOASTS_ATTRIBUTE}]`, async () => (await import("./toast-stack.js")).ToastStack);
registry.define(`[${ROOM_ATTRIBUTE}]`, async () => (await import("./presence.js")).Presence);
registry.define(`[${SESSION_GUARD_ATTRIBUTE}]`, async () => (await import("./session-guard.js")).SessionGuard);
registry.define(`[${SIGN_OUT_ATTRIBUTE}]`, async () => (await import("./sign-out.js")).SignOut);
