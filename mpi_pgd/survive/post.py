"""Datagrams between the watchers: they travel beside MPI, which may be what hangs."""

import contextlib
import json
import os
import socket
from collections.abc import Iterable, Iterator
from typing import Any

from mpi_pgd.survive.members import Member, pack

Address = tuple[str, int]
Letter = dict[str, Any]


class Post:
    """A UDP socket. A letter carries the cookie of the one that is asked, there and back: strangers' are dropped.

    Attributes:
        card: what the others need to send letters here (``members.pack``).
    """

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.bind(("", 0))
        self._cookie = os.urandom(8)
        self.card = pack(self._cookie, self._socket.getsockname()[1])

    def fileno(self) -> int:
        """Readable when letters are there."""
        return self._socket.fileno()

    def close(self) -> None:
        """No more letters."""
        self._socket.close()

    def ask(self, me: Member, other: Member, **letter: Any) -> None:
        """Send to wherever the other may be reached."""
        for host in ("127.0.0.1",) if other.net == me.net else other.addresses:
            self._send((host, other.port), other.cookie, {"from": me.cookie.hex(), **letter})

    def reply(self, to: Address, **letter: Any) -> None:
        """Answer a letter to where it came from."""
        self._send(to, self._cookie, letter)

    def asked(self, cookie: bytes) -> bool:
        """Whether a letter with this cookie is a question to this rank; else it is an answer of the one whose it is."""
        return cookie == self._cookie

    def read(self, cookies: Iterable[bytes]) -> Iterator[tuple[bytes, Letter, Address]]:
        """The letters that have come with this rank's cookie or one of ``cookies``."""
        known = {self._cookie, *cookies}
        with contextlib.suppress(BlockingIOError):  # that was the last one
            while True:
                data, address = self._socket.recvfrom(4096)
                if data[:8] in known:
                    yield data[:8], json.loads(data[8:]), address

    def _send(self, to: Address, cookie: bytes, letter: Letter) -> None:
        with contextlib.suppress(OSError):  # no way there, or no room: lost, as any datagram may be
            self._socket.sendto(cookie + json.dumps(letter).encode(), to)
