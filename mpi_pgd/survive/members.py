"""Who takes part, and where each can be reached beside MPI: the card that every rank makes of itself."""

import contextlib
import hashlib
import os
import socket
import struct
from pathlib import Path
from typing import NamedTuple

CARD_BYTES = 128
_CARD = struct.Struct("!8s8s8sIHB32s60s")
_SIOCGIFADDR = 0x8915  # Linux: the IPv4 address of an interface
_MOST = 8  # addresses


class Member(NamedTuple):
    """A rank as others see it.

    Attributes:
        cookie: 8 random bytes, without which no datagram counts.
        node: what shares its process numbers: a member with the same can kill it.
        net: what shares its loopback.
        addresses: IPv4; it is not known which of them others can reach.
    """

    rank: int
    host: str
    pid: int
    cookie: bytes
    node: bytes
    net: bytes
    port: int
    addresses: tuple[str, ...]


def pack(cookie: bytes, port: int) -> bytes:
    """The card of this process."""
    found = _addresses()
    packed = b"".join(map(socket.inet_aton, found))
    host = socket.gethostname().encode()[:60]
    return _CARD.pack(cookie, _space("pid"), _space("net"), os.getpid(), port, len(found), packed, host).ljust(CARD_BYTES, b"\0")


def unpack(card: bytes, rank: int) -> Member:
    """What a card says."""
    cookie, node, net, pid, port, count, packed, host = _CARD.unpack(card[: _CARD.size])
    addresses = tuple(socket.inet_ntoa(packed[4 * place : 4 * place + 4]) for place in range(count))
    return Member(rank, host.rstrip(b"\0").decode(errors="replace"), pid, cookie, node, net, port, addresses)


def _addresses() -> list[str]:
    """Of the interfaces; not by the name of the host, which may mean 127.0.1.1, or seconds of a name server that is gone."""
    import fcntl

    found = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        for _, name in socket.if_nameindex():
            with contextlib.suppress(OSError):  # it has no address
                answer = fcntl.ioctl(any_socket, _SIOCGIFADDR, name.encode()[:15].ljust(256, b"\0"))
                found.append(socket.inet_ntoa(answer[20:24]))
    return [address for address in found if not address.startswith("127.")][:_MOST]


def _space(kind: str) -> bytes:
    """Names the kernel and the namespace of process numbers (``pid``) or of the network (``net``) in 8 bytes."""
    names = [socket.gethostname()]
    with contextlib.suppress(OSError):  # not Linux
        names = [Path("/proc/sys/kernel/random/boot_id").read_text(), str(Path(f"/proc/self/ns/{kind}").stat().st_ino)]
    return hashlib.sha256("\n".join(names).encode()).digest()[:8]
