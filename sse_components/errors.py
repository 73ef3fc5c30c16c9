"""Every error the kit raises, as a tree:

SSEComponentsError
├── WireError (ValueError)           a text that an SSE field cannot carry
│   └── ChannelError                 a channel name that is not allowed
├── MarkupError (ValueError)         an unknown swap, a missing id, an unusable attribute
├── IdentityError (ValueError)       a user that names nobody
├── GrantError (ValueError)          a channel grant that is forged, foreign, revoked, expired or forbidden
├── MessageTooLarge (ValueError)     more bytes than one message may have
├── HandleError (ValueError)         an option that conflicts with an earlier one, or too many handles
├── HistoryGap (LookupError)         the log no longer reaches back to a cursor
├── BackendUnavailable (RuntimeError) the file or server that keeps the log cannot be used
├── NotRunning (RuntimeError)        publishing after shutdown, or before start-up without a loop
├── AlreadyRunning (RuntimeError)    a job or an answer begun while another with its id runs
├── SetupError (RuntimeError)        `setup_sse` called too late, or on an app it cannot serve
└── ConnectionClosed (RuntimeError)  a queue whose connection is gone
"""

from __future__ import annotations


class SSEComponentsError(Exception):
    """Base of all errors of this package."""


class WireError(SSEComponentsError, ValueError):
    """A text that an SSE field cannot carry."""


class ChannelError(WireError):
    """A channel name that is not allowed."""


class MarkupError(SSEComponentsError, ValueError):
    """An unknown swap style, a missing id, or an attribute that cannot be used."""


class IdentityError(SSEComponentsError, ValueError):
    """A user that names nobody, such as True."""


class HandleError(SSEComponentsError, ValueError):
    """An option that a handle has with another value already, or one handle more than there may be."""


class GrantError(SSEComponentsError, ValueError):
    """A channel grant that is not valid, or cannot be made.

    Attributes:
        reason: why it is refused: `'forged'`, `'foreign'` (another user's or browser's), `'cookie'` (the browser has
            sent none), `'revoked'`, `'expired'` or `'forbidden'` (by `authorize`).
        channels: what it was for, where that is known.
    """

    def __init__(self, text: str, reason: str = "", channels: frozenset[str] = frozenset()) -> None:
        super().__init__(text)
        self.reason, self.channels = reason, channels


class MessageTooLarge(SSEComponentsError, ValueError):
    """A message with more bytes than `max_message_bytes`."""


class HistoryGap(SSEComponentsError, LookupError):
    """The log no longer reaches back to a cursor.

    Attributes:
        channels: the channels of which something is missing.
    """

    def __init__(self, channels: list[str]) -> None:
        super().__init__(f"the log no longer reaches back for: {', '.join(channels)}")
        self.channels = channels


class BackendUnavailable(SSEComponentsError, RuntimeError):
    """The file or the server that keeps the log cannot be used now. What was to be published is not in the log."""


class NotRunning(SSEComponentsError, RuntimeError):
    """The manager has not been started, or is shut down."""


class AlreadyRunning(SSEComponentsError, RuntimeError):
    """A job or an answer was begun while another with the same id runs."""


class SetupError(SSEComponentsError, RuntimeError):
    """`setup_sse` was called too late, or on an app it cannot serve."""


class ConnectionClosed(SSEComponentsError, RuntimeError):
    """The connection behind a queue is gone, and all it held has been read."""
