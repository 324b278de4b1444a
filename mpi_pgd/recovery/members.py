"""Who takes part, and where each can be reached beside MPI: the card that every rank makes of itself."""

import contextlib
import hashlib
import os
import socket
import struct
from collections.abc import Iterable
from pathlib import Path

from mpi_pgd.recovery.verdict import Member

CARD_BYTES = 128
LOOPBACK = "127.0.0.1"
_CARD = struct.Struct("!8s8s8sIHB32s60s")
_SIOCGIFADDR = 0x8915  # Linux: the IPv4 address of an interface
_MOST = 8  # addresses


def place() -> bytes:
    """Where this process is: what shares its loopback, and its addresses."""
    packed = b"".join(map(socket.inet_aton, _addresses()))
    return _space("net") + packed.ljust(4 * _MOST, b"\0")


def meeting(mine: bytes, everyone: Iterable[bytes]) -> str:
    """The address at which all others, by their places, can reach this process.

    The loopback's, if all share it; else that of the interface by which others are reached; none, for any, if there are several.
    """
    elsewhere = {other for other in everyone if other[:8] != mine[:8]}
    if not elsewhere:
        return LOOPBACK
    here = set(_split(mine[8:]))
    found = {_source(address) for other in elsewhere for address in _split(other[8:]) if address not in here} & here
    return found.pop() if len(found) == 1 else ""


def _source(address: str) -> str:
    """From where datagrams to an address would be sent; nothing is."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:  # no way there
        probe.connect((address, 9))
        return str(probe.getsockname()[0])
    return ""


def _split(packed: bytes) -> list[str]:
    parts = [packed[place : place + 4] for place in range(0, len(packed), 4)]
    return [socket.inet_ntoa(part) for part in parts if any(part)]


def pack(cookie: bytes, port: int, host: str) -> bytes:
    """The card of this process, which listens at ``host``, or at any of its addresses if that is empty."""
    found = [host] if host else _addresses()
    packed = b"".join(map(socket.inet_aton, found))
    name = socket.gethostname().encode()[:60]
    return _CARD.pack(cookie, _space("pid"), _space("net"), os.getpid(), port, len(found), packed, name).ljust(CARD_BYTES, b"\0")


def unpack(card: bytes, rank: int) -> Member:
    """What a card says."""
    cookie, node, net, pid, port, count, packed, host = _CARD.unpack(card[: _CARD.size])
    addresses = tuple(_split(packed[: 4 * count]))
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
