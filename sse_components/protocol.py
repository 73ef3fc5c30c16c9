"""The one home of every name and default that Python shares with JavaScript.

`static/protocol.js` mirrors this module name by name; a test keeps the two equal.
"""

from __future__ import annotations

from typing import Final

# Routes, below the prefix given to `setup_sse`.
PREFIX: Final = "/sse"
STREAM_PATH: Final = "/stream"
BROADCAST_PATH: Final = "/broadcast"
PRESENCE_PATH: Final = "/presence"
RENEW_PATH: Final = "/renew"
STATUS_PATH: Final = "/status"
CONNECTIONS_PATH: Final = "/connections"
ASSETS_PATH: Final = "/assets"

# The stream's query: one `sub` per grant, as `<grant>` or `<grant>~<cursor>`.
SUB_PARAM: Final = "sub"
CONNECTION_PARAM: Final = "connection"
CURSOR_SEPARATOR: Final = "~"
LAST_EVENT_ID: Final = "Last-Event-ID"

# Which tab a request comes from, and how such a name begins.
TAB_HEADER: Final = "SSE-Tab"
TAB_PREFIX: Final = "tab_"

# Control events. A channel or event of the user's may not start with this prefix.
CONTROL_PREFIX: Final = "sse:"
OPEN_EVENT: Final = "sse:open"
RESET_EVENT: Final = "sse:reset"
DENIED_EVENT: Final = "sse:denied"
SHUTDOWN_EVENT: Final = "sse:shutdown"
ERROR_EVENT: Final = "sse:error"

# The channel of `BroadcastManager.broadcast`: every connection follows it.
BROADCAST_CHANNEL: Final = "sse:broadcast"

# DOM events and attributes.
STATE_EVENT: Final = "sse:state"
STATS_EVENT: Final = "sse:stats"
CONNECT_ATTRIBUTE: Final = "data-sse-connect"
SWAP_ATTRIBUTE: Final = "data-sse-swap"
STATE_ATTRIBUTE: Final = "data-sse-state"
HEAL_ATTRIBUTE: Final = "data-sse-heal"
ROOM_ATTRIBUTE: Final = "data-sse-room"
SHARED_ATTRIBUTE: Final = "data-sse-shared"
STATS_ATTRIBUTE: Final = "data-sse-stats"
# A script finds its own tag, and with it its settings, by one of these.
RECONNECT_ATTRIBUTE: Final = "data-sse-reconnect"
MONITOR_ATTRIBUTE: Final = "data-sse-monitor"
CURSOR_ATTRIBUTE: Final = "data-sse-cursor"
STATES: Final = ("connecting", "live", "reconnecting", "offline", "denied", "stale")

# What a browser remembers of fields begins so; it is forgotten when the user signs out.
FIELD_KEY: Final = "sse:field:"

# Timing. A stream that is silent for LIVENESS heartbeats is dead, whatever readyState says.
HEARTBEAT_SECONDS: Final = 15.0
LIVENESS_HEARTBEATS: Final = 2.5
RETRY_BASE_MS: Final = 500
RETRY_CAP_MS: Final = 30_000
SHUTDOWN_RETRY_MS: Final = 1_000
# A page that has a gap fetches itself anew within this time, so that a thousand do not come at once.
HEAL_SPREAD_MS: Final = 2_000

# Statuses after which a client must not try again.
FINAL_STATUSES: Final = (204, 401, 403, 404, 413, 414, 415)
