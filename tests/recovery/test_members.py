"""The card that each rank makes of itself, and where the ranks meet."""

import socket

import pytest

from mpi_pgd.recovery.members import CARD_BYTES, LOOPBACK, meeting, pack, place, unpack


def test_a_card_says_what_was_packed() -> None:
    card = pack(b"12345678", 65000, "")
    assert len(card) == CARD_BYTES
    member = unpack(card, 3)
    assert (member.rank, member.cookie, member.port) == (3, b"12345678", 65000)
    assert (member.node, member.net) == unpack(pack(b"other...", 1, ""), 0)[4:6]
    assert not any(address.startswith("127.") for address in member.addresses)


def test_where_to_meet(monkeypatch: pytest.MonkeyPatch) -> None:
    """One node: its loopback, which nobody else can send to. Others are reached by one interface, or by several."""
    mine = place()
    assert meeting(mine, [mine, mine]) == LOOPBACK
    monkeypatch.setattr("mpi_pgd.recovery.members._source", {"10.0.0.2": "10.0.0.1", "10.1.0.2": "10.1.0.1"}.get)

    def at(net: bytes, *addresses: str) -> bytes:
        return net + b"".join(map(socket.inet_aton, addresses)).ljust(32, b"\0")

    here = at(b"this net", "10.0.0.1", "10.1.0.1", "172.17.0.1")
    assert meeting(here, [here, at(b"that net", "10.0.0.2", "172.17.0.1")]) == "10.0.0.1"
    assert meeting(here, [here, at(b"that net", "10.0.0.2", "10.1.0.2")]) == ""
