// Mirror of sse_components/protocol.py, name by name; tests/test_protocol.py keeps the two equal.

export const PREFIX = "/sse";
export const STREAM_PATH = "/stream";
export const BROADCAST_PATH = "/broadcast";
export const PRESENCE_PATH = "/presence";
export const RENEW_PATH = "/renew";
export const STATUS_PATH = "/status";
export const CONNECTIONS_PATH = "/connections";
export const ASSETS_PATH = "/assets";

export const SUB_PARAM = "sub";
export const CONNECTION_PARAM = "connection";
export const CURSOR_SEPARATOR = "~";
export const LAST_EVENT_ID = "Last-Event-ID";
export const TAB_HEADER = "SSE-Tab";
export const TAB_PREFIX = "tab_";

export const CONTROL_PREFIX = "sse:";
export const OPEN_EVENT = "sse:open";
export const RESET_EVENT = "sse:reset";
export const DENIED_EVENT = "sse:denied";
export const SHUTDOWN_EVENT = "sse:shutdown";
export const ERROR_EVENT = "sse:error";

export const BROADCAST_CHANNEL = "sse:broadcast";

export const STATE_EVENT = "sse:state";
export const STATS_EVENT = "sse:stats";
export const CONNECT_ATTRIBUTE = "data-sse-connect";
export const SWAP_ATTRIBUTE = "data-sse-swap";
export const STATE_ATTRIBUTE = "data-sse-state";
export const HEAL_ATTRIBUTE = "data-sse-heal";
export const ROOM_ATTRIBUTE = "data-sse-room";
export const SHARED_ATTRIBUTE = "data-sse-shared";
export const STATS_ATTRIBUTE = "data-sse-stats";
export const RECONNECT_ATTRIBUTE = "data-sse-reconnect";
export const MONITOR_ATTRIBUTE = "data-sse-monitor";
export const CURSOR_ATTRIBUTE = "data-sse-cursor";
export const STATES = ["connecting", "live", "reconnecting", "offline", "denied", "stale"];

export const FIELD_KEY = "sse:field:";

export const HEARTBEAT_SECONDS = 15.0;
export const LIVENESS_HEARTBEATS = 2.5;
export const RETRY_BASE_MS = 500;
export const RETRY_CAP_MS = 30_000;
export const SHUTDOWN_RETRY_MS = 1_000;
export const HEAL_SPREAD_MS = 2_000;

export const FINAL_STATUSES = [204, 401, 403, 404, 413, 414, 415];
