"""FT components: CapitalCase functions that return FT, take positional children, and pass `**kwargs` to the tag."""

from __future__ import annotations

from .element import SSE
from .live_content import LiveList, LiveRegion, LiveText
from .log_tail import LogTail
from .presence import PresenceList, TabCount
from .progress import ProgressBar
from .session import SessionGuard
from .sparkline import Sparkline
from .status import ConnectionStats, ConnectionStatus
from .synced import SyncedInput, SyncedToggle
from .toasts import ToastStack
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
