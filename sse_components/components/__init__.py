"""The components: functions that return FT, take content as positional arguments, and pass `**kwargs` to the tag.

Each is in the file with its name, beside its handle: the class whose methods change what pages show.
"""

from __future__ import annotations

from .connection_stats import ConnectionStats
from .connection_status import ConnectionStatus
from .element import SSE
from .live_list import LiveList
from .live_region import LiveRegion
from .live_text import LiveText
from .log_tail import LogTail
from .presence_list import PresenceList
from .progress_bar import ProgressBar
from .session_guard import SessionGuard
from .sparkline import Sparkline
from .synced_input import SyncedInput
from .synced_toggle import SyncedToggle
from .tab_count import TabCount
from .toast_stack import ToastStack
from .token_stream import TokenStream

__all__ = [
    "SSE",
    "ConnectionStats",
    "ConnectionStatus",
    "LiveList",
    "LiveRegion",
    "LiveText",
    "LogTail",
    "PresenceList",
    "ProgressBar",
    "SessionGuard",
    "Sparkline",
    "SyncedInput",
    "SyncedToggle",
    "TabCount",
    "ToastStack",
    "TokenStream",
]
