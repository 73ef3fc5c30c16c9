"""Live HTML in every tab, from Python: a component kit for FastHTML and htmx over Server-Sent Events."""

from __future__ import annotations

from .access.limits import Limits
from .app import setup_sse
from .backends import Backend, MemoryBackend, RedisBackend, SqliteBackend
from .client import connect
from .components import (
    SSE,
    ConnectionStats,
    ConnectionStatus,
    LiveList,
    LiveRegion,
    LiveText,
    LogTail,
    PresenceList,
    ProgressBar,
    SessionGuard,
    Sparkline,
    SyncedInput,
    SyncedToggle,
    TabCount,
    ToastStack,
    TokenStream,
)
from .components.here import Here
from .components.live_list import ItemList
from .components.live_region import Region
from .components.live_text import Text
from .components.log_tail import Log
from .components.progress_bar import Job
from .components.sparkline import Spark
from .components.synced import Synced
from .components.token_stream import Answer
from .delivery.connection import ConnectionState, SSEConnection
from .delivery.registry import ConnectionRegistry
from .endpoints.broadcast import create_broadcast_endpoint, create_broadcast_handler, setup_broadcast_routes
from .errors import (
    AlreadyRunning,
    BackendUnavailable,
    ChannelError,
    ConnectionClosed,
    GrantError,
    HandleError,
    HistoryGap,
    IdentityError,
    MarkupError,
    MessageTooLarge,
    NotRunning,
    SetupError,
    SSEComponentsError,
    WireError,
)
from .events.log import EventLog
from .events.message import BroadcastMessage
from .generators.endpoint import create_sse_endpoint
from .generators.progress import create_progress_stream
from .generators.streams import SSEStream, StreamConfig, sse_generator, stream_updates
from .generators.throttle import create_throttled_stream
from .html.connect import create_sse_element
from .html.oob import OOBStreamBuilder, oob
from .html.page_context import this_session, this_tab
from .html.scripts import cleanup_sse_on_unload, create_connection_manager_script, create_reconnection_script
from .kit import Kit
from .manager import BroadcastManager
from .publication import Outcome, Publication

__version__ = "0.1.0"

__all__ = [
    "SSE",
    "AlreadyRunning",
    "Answer",
    "Backend",
    "BackendUnavailable",
    "BroadcastManager",
    "BroadcastMessage",
    "ChannelError",
    "ConnectionClosed",
    "ConnectionRegistry",
    "ConnectionState",
    "ConnectionStats",
    "ConnectionStatus",
    "EventLog",
    "GrantError",
    "HandleError",
    "Here",
    "HistoryGap",
    "IdentityError",
    "ItemList",
    "Job",
    "Kit",
    "Limits",
    "LiveList",
    "LiveRegion",
    "LiveText",
    "Log",
    "LogTail",
    "MarkupError",
    "MemoryBackend",
    "MessageTooLarge",
    "NotRunning",
    "OOBStreamBuilder",
    "Outcome",
    "PresenceList",
    "ProgressBar",
    "Publication",
    "RedisBackend",
    "Region",
    "SSEComponentsError",
    "SSEConnection",
    "SSEStream",
    "SessionGuard",
    "SetupError",
    "Spark",
    "Sparkline",
    "SqliteBackend",
    "StreamConfig",
    "Synced",
    "SyncedInput",
    "SyncedToggle",
    "TabCount",
    "Text",
    "ToastStack",
    "TokenStream",
    "WireError",
    "cleanup_sse_on_unload",
    "connect",
    "create_broadcast_endpoint",
    "create_broadcast_handler",
    "create_connection_manager_script",
    "create_progress_stream",
    "create_reconnection_script",
    "create_sse_element",
    "create_sse_endpoint",
    "create_throttled_stream",
    "oob",
    "setup_broadcast_routes",
    "setup_sse",
    "sse_generator",
    "stream_updates",
    "this_session",
    "this_tab",
]
