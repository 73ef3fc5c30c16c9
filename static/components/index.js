// Which elements have which component. The module of a component is loaded with the first element that needs it; `again` makes the
// address of one that has failed a new one, because browsers keep failures.

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
import { watchSignOut } from "./sign-out-events.js";

const registry = new ComponentRegistry();

registry.define(`[${LOG_TAIL_ATTRIBUTE}]`, async (again) => (await import(`./log-tail.js${again}`)).LogTail);
registry.define(
  `[${STATUS_ATTRIBUTE}]`,
  async (again) => (await import(`./connection-status.js${again}`)).ConnectionStatus,
);
registry.define(
  `[${NUMBERS_ATTRIBUTE}]`,
  async (again) => (await import(`./connection-stats.js${again}`)).ConnectionStats,
);
registry.define(
  `[${SYNCED_ATTRIBUTE}]`,
  async (again) => (await import(`./synced-browser.js${again}`)).SyncedByBrowser,
);
registry.define(`[${SAID_ATTRIBUTE}]`, async (again) => (await import(`./synced-server.js${again}`)).SyncedByServer);
registry.define(`[${LIVE_TEXT_ATTRIBUTE}]`, async (again) => (await import(`./live-text.js${again}`)).LiveText);
registry.define(`[${LIVE_LIST_ATTRIBUTE}]`, async (again) => (await import(`./live-list.js${again}`)).LiveList);
registry.define(`[${LIVE_REGION_ATTRIBUTE}]`, async (again) => (await import(`./live-region.js${again}`)).LiveRegion);
registry.define(`[${TOASTS_ATTRIBUTE}]`, async (again) => (await import(`./toast-stack.js${again}`)).ToastStack);
registry.define(`[${ROOM_ATTRIBUTE}]`, async (again) => (await import(`./presence.js${again}`)).Presence);
registry.define(
  `[${SESSION_GUARD_ATTRIBUTE}]`,
  async (again) => (await import(`./session-guard.js${again}`)).SessionGuard,
);
registry.define(`[${SIGN_OUT_ATTRIBUTE}]`, async (again) => (await import(`./sign-out.js${again}`)).SignOut);

watchSignOut();
