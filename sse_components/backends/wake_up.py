"""Datagrams by which processes of one host wake each other: each has a Unix socket beside the file that they share."""

from __future__ import annotations

import contextlib
import secrets
import select
import shutil
import socket
import stat
import tempfile
from collections.abc import Iterable
from pathlib import Path

# Bytes that the path of a Unix socket may have: 108 with its end on Linux, 104 on macOS.
MAX_PATH = 100


class WakeUp:
    """Waits until this process or another one has something to tell.

    Where there are no Unix sockets, only this process wakes it.

    Args:
        file: the file that the processes share.

    Attributes:
        name: by which others wake this process: the name of a socket beside the file, or a whole path; empty without.
    """

    def __init__(self, file: Path) -> None:
        self._folder, self._temporary = file.absolute().parent, ""
        self._here, self._there = socket.socketpair()
        self._here.setblocking(False)
        self._there.setblocking(False)
        self._socket: socket.socket | None = None
        self.name = self._bind(f"{file.name}-{secrets.token_hex(4)}.sock")

    def _bind(self, name: str) -> str:
        if not hasattr(socket, "AF_UNIX"):
            return ""
        made = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        made.setblocking(False)
        for make_path in (self._beside, self._in_temporary_folder):
            try:
                path = make_path(name)
                made.bind(str(path))
            except OSError:
                continue
            self._socket = made
            return path.name if path.parent == self._folder else str(path)
        made.close()
        return ""

    def _beside(self, name: str) -> Path:
        path = self._folder / name
        if len(str(path).encode()) > MAX_PATH:
            raise OSError("the path is too long for a Unix socket")
        return path

    def _in_temporary_folder(self, name: str) -> Path:
        self._temporary = tempfile.mkdtemp(prefix="sse-")
        return Path(self._temporary) / name[-13:]

    def wait(self, timeout: float) -> bool:
        """Wait until something was told, for `timeout` seconds at most; return whether it was."""
        sockets = [each for each in (self._here, self._socket) if each is not None]
        ready, _, _ = select.select(sockets, [], [], timeout)
        for each in ready:
            with contextlib.suppress(BlockingIOError):
                while each.recv(64):
                    pass
        return bool(ready)

    def tell_self(self) -> None:
        """Wake this process. It may be called in any thread."""
        with contextlib.suppress(OSError):  # so much has been told already that there is no room, or it is closed
            self._there.send(b"!")

    def tell(self, names: Iterable[str]) -> list[str]:
        """Wake other processes.

        Args:
            names: theirs.

        Returns:
            The names of those that are dead.
        """
        return [name for name in names if name != self.name and not self._reaches(name)]

    def _reaches(self, name: str) -> bool:
        if self._socket is None:
            return True
        try:
            self._socket.sendto(b"!", str(self._folder / name))
        except (ConnectionRefusedError, FileNotFoundError):
            return False
        except OSError:  # it has not read what it was told before
            pass
        return True

    def remove(self, name: str) -> None:
        """Remove the socket of a dead process."""
        path = self._folder / name
        with contextlib.suppress(OSError):
            if stat.S_ISSOCK(path.lstat().st_mode):
                path.unlink()

    def drop(self) -> None:
        """Close the sockets, which another process still uses."""
        for each in (self._here, self._there, self._socket):
            if each is not None:
                each.close()

    def close(self) -> None:
        """Close the sockets, and remove this process' own."""
        self.drop()
        if self.name:
            self.remove(self.name)
        if self._temporary:
            shutil.rmtree(self._temporary, ignore_errors=True)
