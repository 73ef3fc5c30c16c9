"""Points in time, in UTC, that also compare with naive local times."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any


class Moment(datetime):
    """A `datetime` in UTC, which subtracts and compares with naive times, too.

    The programs of cjm-fasthtml-sse write `datetime.now() - connection.created_at`. Python raises for that if one of
    them is naive. A moment takes a naive time as the local time of this machine, as `datetime.astimezone()` and
    `datetime.timestamp()` do. It equals aware times only, as every aware `datetime`, so that hashes stay right.

    Example:
        `idle = datetime.now() - connection.last_activity`
    """

    __slots__ = ()

    def __sub__(self, other: Any) -> Any:
        return super().__sub__(aware(other))

    def __rsub__(self, other: datetime) -> timedelta:
        difference: timedelta = self - other
        return -difference

    def __lt__(self, other: date) -> bool:
        return super().__lt__(aware(other))

    def __le__(self, other: date) -> bool:
        return super().__le__(aware(other))

    def __gt__(self, other: date) -> bool:
        return super().__gt__(aware(other))

    def __ge__(self, other: date) -> bool:
        return super().__ge__(aware(other))


def aware(time: Any) -> Any:
    """Return a naive `datetime` as an aware one, in this machine's time zone; anything else as it is.

    Args:
        time: a `datetime`, or what is subtracted from one.
    """
    return time.astimezone() if isinstance(time, datetime) and time.tzinfo is None else time


def now() -> Moment:
    """Return the present time in UTC."""
    return Moment.now(UTC)
