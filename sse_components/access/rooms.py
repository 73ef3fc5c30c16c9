"""Rooms are channels: the presence of a room is published on a channel of the kit's, which has the room's name."""

from __future__ import annotations

from ..events.wire import KitChannel, check_channel
from ..protocol import CONTROL_PREFIX

HERE_PREFIX = f"{CONTROL_PREFIX}here/"
# The room of a tab that names no room.
ANYWHERE = "anywhere"


def room_channel(room: str) -> KitChannel:
    """Return the channel on which the presence of a room is published.

    Raises:
        ChannelError: if the room's name is not allowed.
    """
    return KitChannel(f"{HERE_PREFIX}{check_channel(room)}")


def known_name(channel: str) -> str | None:
    """Return the name by which the application knows a channel, which for a room's presence is the room's name.

    It is None for channels of the kit's that the application does not name: those of a user or a session, and the
    presence of all tabs that name no room.
    """
    if not channel.startswith(CONTROL_PREFIX):
        return channel
    room = channel.removeprefix(HERE_PREFIX)
    return None if room in (channel, ANYWHERE) else room


def both_channels(name: str) -> frozenset[str]:
    """Return what a name that the application gives stands for: the channel, and the presence of the room."""
    return frozenset({name, f"{HERE_PREFIX}{name}"})
