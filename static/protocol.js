// The names and defaults that sse_components/protocol.py shares with the browser; tests/test_protocol.py compares the two.

// Routes, below the prefix given to `setup_sse`.
export const PREFIX = "/sse";
export const STREAM_PATH = "/stream";
export const PRESENCE_PATH = "/presence";
export const RENEW_PATH = "/renew";
export const CONNECTIONS_PATH = "/connections";

// The form of a request for a stream: one `sub` for each grant, as `<grant>` or `<grant>~<cursor>`. A request for new
// grants names the connection, too.
export const SUB_PARAM = "sub";
export const CURSOR_SEPARATOR = "~";
export const CONNECTION_PARAM = "connection";

// Headers. The name of a tab begins with the prefix.
export const LAST_EVENT_ID = "Last-Event-ID";
export const HEARTBEAT_HEADER = "SSE-Heartbeat";
export const TAB_HEADER = "SSE-Tab";
export const TAB_PREFIX = "tab_";

// Control events.
export const OPEN_EVENT = "sse:open";
export const RESET_EVENT = "sse:reset";
export const DENIED_EVENT = "sse:denied";

// The channel of `BroadcastManager.broadcast`: every connection follows it.
export const BROADCAST_CHANNEL = "sse:broadcast";

// DOM events.
export const STATE_EVENT = "sse:state";
export const STATS_EVENT = "sse:stats";
export const SIGN_OUT_EVENT = "sse:sign-out";
// Asks `early-changes.js` what scripts have changed while the page was parsed. It is no module, and cannot import this.
export const EARLY_EVENT = "sse:early";
// Cancellable: before a page is brought up to date, on the document; and before an element is changed or removed, on it.
export const BEFORE_HEAL_EVENT = "sse:before-heal";
export const BEFORE_MORPH_EVENT = "sse:before-morph";

// The value of `data-sse-state` for a stream that its closing event has ended.
export const CLOSED_STATE = "closed";
// The other values of `data-sse-state`, from the best to the worst.
export const STATES = ["live", "connecting", "stale", "reconnecting", "offline", "denied"];

// Attributes of an element that connects.
export const CONNECT_ATTRIBUTE = "data-sse-connect";
export const SWAP_ATTRIBUTE = "data-sse-swap";
export const STATE_ATTRIBUTE = "data-sse-state";
export const CLOSED_ATTRIBUTE = "data-sse-closed";
export const CURSOR_ATTRIBUTE = "data-sse-cursor";
export const HEAL_ATTRIBUTE = "data-sse-heal";
export const REASON_ATTRIBUTE = "data-sse-reason";
export const KEEP_ATTRIBUTE = "data-sse-keep";
export const PAGE_ATTRIBUTE = "data-sse-page";
// Its value for what is published: it belongs to the page that shows it.
export const SAME_PAGE = "*";
export const SHARED_ATTRIBUTE = "data-sse-shared";
export const ROOM_ATTRIBUTE = "data-sse-room";
export const TEXT_ATTRIBUTE = "data-sse-text";

// The tag of a script, which has its settings. The namespace of what a browser keeps is in the tag of `index.js`.
export const NAMESPACE_ATTRIBUTE = "data-sse-namespace";
export const RECONNECT_ATTRIBUTE = "data-sse-reconnect";
export const MONITOR_ATTRIBUTE = "data-sse-monitor";

// ConnectionStatus, ConnectionStats.
export const STATUS_ATTRIBUTE = "data-sse-status";
export const COUNTDOWN_ATTRIBUTE = "data-countdown";
export const NUMBERS_ATTRIBUTE = "data-sse-numbers";
export const STAT_ATTRIBUTE = "data-sse-stat";
export const STATS_ATTRIBUTE = "data-sse-stats";
export const AGO_ATTRIBUTE = "data-ago";
export const NEVER_ATTRIBUTE = "data-never";

// LiveText, LiveList, LiveRegion.
export const LIVE_TEXT_ATTRIBUTE = "data-sse-live-text";
export const LABEL_ATTRIBUTE = "data-sse-label";
export const PAUSE_ATTRIBUTE = "data-sse-pause";
export const LIVE_LIST_ATTRIBUTE = "data-sse-live-list";
export const MAX_ATTRIBUTE = "data-sse-max";
export const KEY_ATTRIBUTE = "data-sse-key";
export const LIVE_REGION_ATTRIBUTE = "data-sse-live-region";
export const MORPH_ATTRIBUTE = "data-sse-morph";
/** The address from which each page fetches its region, and the milliseconds within which all pages do so. */
export const FETCH_ATTRIBUTE = "data-sse-fetch";
export const SPREAD_ATTRIBUTE = "data-sse-spread";

// LogTail, Toasts.
export const LOG_TAIL_ATTRIBUTE = "data-sse-log-tail";
export const LEVEL_ATTRIBUTE = "data-level";
export const TOASTS_ATTRIBUTE = "data-sse-toasts";
export const TOAST_ATTRIBUTE = "data-sse-toast";

// SyncedField, SyncedToggle. What a browser stores of fields has the prefix, and then the namespace and a colon; it is deleted when the user signs out.
export const SYNCED_ATTRIBUTE = "data-sse-synced";
export const SAID_ATTRIBUTE = "data-sse-said";
export const FIELD_KEY = "sse:field:";

// SessionGuard.
export const FAILED_ATTRIBUTE = "data-sse-failed";
export const SESSION_GUARD_ATTRIBUTE = "data-sse-session-guard";
export const WHO_ATTRIBUTE = "data-sse-who";
export const WHEN_ATTRIBUTE = "data-sse-when";
export const RELOAD_ATTRIBUTE = "data-sse-reload";
export const SIGN_OUT_ATTRIBUTE = "data-sse-sign-out";

// Timing. A stream that is silent for LIVENESS heartbeats is dead, whatever its readyState is.
export const HEARTBEAT_SECONDS = 15.0;
export const LIVENESS_HEARTBEATS = 2.5;
export const RETRY_BASE_MS = 500;
export const RETRY_CAP_MS = 30_000;
// Bytes of the body of a request to the kit, unless the application has another limit.
export const BODY_BYTES = 262_144;
// A page that has a gap fetches itself again within this time, so that a thousand pages do not come at once.
export const HEAL_SPREAD_MS = 2_000;

// Statuses after which a client must not try again.
export const FINAL_STATUSES = [204, 400, 401, 403, 404, 405, 406, 410, 413, 414, 415, 422, 451, 501, 505];
