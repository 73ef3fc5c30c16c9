"""The one home of every name and default that Python shares with JavaScript.

`static/protocol.js` has the same names with the same values, except those at the end; a test compares the two.
"""

from __future__ import annotations

from typing import Final

# Routes, below the prefix given to `setup_sse`.
PREFIX: Final = "/sse"
STREAM_PATH: Final = "/stream"
PRESENCE_PATH: Final = "/presence"
RENEW_PATH: Final = "/renew"
CONNECTIONS_PATH: Final = "/connections"

# The form of a request for a stream: one `sub` for each grant, as `<grant>` or `<grant>~<cursor>`. A request for new
# grants names the connection, too.
SUB_PARAM: Final = "sub"
CURSOR_SEPARATOR: Final = "~"
CONNECTION_PARAM: Final = "connection"

# Headers. The name of a tab begins with the prefix.
LAST_EVENT_ID: Final = "Last-Event-ID"
# A stream that is not the kit's says its heartbeat there, in seconds, or by a comment such as `heartbeat 30`.
HEARTBEAT_HEADER: Final = "SSE-Heartbeat"
TAB_HEADER: Final = "SSE-Tab"
TAB_PREFIX: Final = "tab_"

# Control events.
OPEN_EVENT: Final = "sse:open"
RESET_EVENT: Final = "sse:reset"
DENIED_EVENT: Final = "sse:denied"

# The channel of `BroadcastManager.broadcast`: every connection follows it.
BROADCAST_CHANNEL: Final = "sse:broadcast"

# DOM events.
STATE_EVENT: Final = "sse:state"
STATS_EVENT: Final = "sse:stats"
SIGN_OUT_EVENT: Final = "sse:sign-out"
# Asks `early-changes.js` what scripts have changed while the page was parsed. It is no module, and cannot import this.
EARLY_EVENT: Final = "sse:early"
# Cancellable: before a page is brought up to date, on the document; and before an element is changed or removed, on it.
BEFORE_HEAL_EVENT: Final = "sse:before-heal"
BEFORE_MORPH_EVENT: Final = "sse:before-morph"

# The value of `data-sse-state` for a stream that its closing event has ended.
CLOSED_STATE: Final = "closed"
# The other values of `data-sse-state`, from the best to the worst.
STATES: Final = ("live", "connecting", "stale", "reconnecting", "offline", "denied")

# Attributes of an element that connects.
CONNECT_ATTRIBUTE: Final = "data-sse-connect"
SWAP_ATTRIBUTE: Final = "data-sse-swap"
STATE_ATTRIBUTE: Final = "data-sse-state"
# The address of a stream that its closing event has ended: it is not opened again.
CLOSED_ATTRIBUTE: Final = "data-sse-closed"
CURSOR_ATTRIBUTE: Final = "data-sse-cursor"
HEAL_ATTRIBUTE: Final = "data-sse-heal"
# Why the element is `denied` or `stale`.
REASON_ATTRIBUTE: Final = "data-sse-reason"
KEEP_ATTRIBUTE: Final = "data-sse-keep"
# The address whose GET made the element; empty if no GET brings it again.
PAGE_ATTRIBUTE: Final = "data-sse-page"
# Its value for what is published: it belongs to the page that shows it.
SAME_PAGE: Final = "*"
SHARED_ATTRIBUTE: Final = "data-sse-shared"
ROOM_ATTRIBUTE: Final = "data-sse-room"

# A part of a message that changes only the text of its element.
TEXT_ATTRIBUTE: Final = "data-sse-text"

# The tag of a script, which has its settings. The namespace of what a browser keeps is in the tag of `index.js`.
NAMESPACE_ATTRIBUTE: Final = "data-sse-namespace"
RECONNECT_ATTRIBUTE: Final = "data-sse-reconnect"
MONITOR_ATTRIBUTE: Final = "data-sse-monitor"

# ConnectionStatus, ConnectionStats.
STATUS_ATTRIBUTE: Final = "data-sse-status"
COUNTDOWN_ATTRIBUTE: Final = "data-countdown"
NUMBERS_ATTRIBUTE: Final = "data-sse-numbers"
STAT_ATTRIBUTE: Final = "data-sse-stat"
STATS_ATTRIBUTE: Final = "data-sse-stats"
AGO_ATTRIBUTE: Final = "data-ago"
NEVER_ATTRIBUTE: Final = "data-never"

# LiveText, LiveList, LiveRegion.
LIVE_TEXT_ATTRIBUTE: Final = "data-sse-live-text"
LABEL_ATTRIBUTE: Final = "data-sse-label"
PAUSE_ATTRIBUTE: Final = "data-sse-pause"
LIVE_LIST_ATTRIBUTE: Final = "data-sse-live-list"
MAX_ATTRIBUTE: Final = "data-sse-max"
KEY_ATTRIBUTE: Final = "data-sse-key"
LIVE_REGION_ATTRIBUTE: Final = "data-sse-live-region"
MORPH_ATTRIBUTE: Final = "data-sse-morph"
# The address from which each page fetches its region, and the milliseconds within which all pages do so.
FETCH_ATTRIBUTE: Final = "data-sse-fetch"
SPREAD_ATTRIBUTE: Final = "data-sse-spread"

# LogTail, Toasts.
LOG_TAIL_ATTRIBUTE: Final = "data-sse-log-tail"
LEVEL_ATTRIBUTE: Final = "data-level"
TOASTS_ATTRIBUTE: Final = "data-sse-toasts"
TOAST_ATTRIBUTE: Final = "data-sse-toast"

# SyncedField, SyncedToggle. What a browser stores of fields has the prefix, and then the namespace and a colon; it is
# deleted when the user signs out.
SYNCED_ATTRIBUTE: Final = "data-sse-synced"
SAID_ATTRIBUTE: Final = "data-sse-said"
FIELD_KEY: Final = "sse:field:"

# SessionGuard.
FAILED_ATTRIBUTE: Final = "data-sse-failed"
SESSION_GUARD_ATTRIBUTE: Final = "data-sse-session-guard"
WHO_ATTRIBUTE: Final = "data-sse-who"
WHEN_ATTRIBUTE: Final = "data-sse-when"
RELOAD_ATTRIBUTE: Final = "data-sse-reload"
SIGN_OUT_ATTRIBUTE: Final = "data-sse-sign-out"

# Timing. A stream that is silent for LIVENESS heartbeats is dead, whatever its readyState is.
HEARTBEAT_SECONDS: Final = 15.0
LIVENESS_HEARTBEATS: Final = 2.5
RETRY_BASE_MS: Final = 500
RETRY_CAP_MS: Final = 30_000
# Bytes of the body of a request to the kit, unless the application has another limit.
BODY_BYTES: Final = 262_144
# A page that has a gap fetches itself again within this time, so that a thousand pages do not come at once.
HEAL_SPREAD_MS: Final = 2_000

# Statuses after which a client must not try again.
FINAL_STATUSES: Final = (204, 400, 401, 403, 404, 405, 406, 410, 413, 414, 415, 422, 451, 501, 505)

# ---- Not in `protocol.js`: no module of the browser's uses what follows.

BROADCAST_PATH: Final = "/broadcast"
STATUS_PATH: Final = "/status"
ASSETS_PATH: Final = "/assets"

# A channel or event of the user's may not start with this prefix.
CONTROL_PREFIX: Final = "sse:"
SHUTDOWN_EVENT: Final = "sse:shutdown"
ERROR_EVENT: Final = "sse:error"
SHUTDOWN_RETRY_MS: Final = 1_000

# SyncedToggle. `synced-early.js` reads these; it is no module, and so cannot import them.
ROOT_ATTRIBUTE: Final = "data-sse-attribute"
ON_ATTRIBUTE: Final = "data-sse-on"
OFF_ATTRIBUTE: Final = "data-sse-off"
MEDIA_ATTRIBUTE: Final = "data-sse-media"

# The values of `data-sse-reason` for an element that is `stale`.
STALE_REASONS: Final = (
    "no-get",
    "too-often",
    "cached",
    "redirected",
    "signed-out",
    "refused",
    "not-html",
    "too-large",
    "unavailable",
    "held",
    "broken",
)
