"""What is in a datagram, and that anything else in one is dropped."""

import json
from collections.abc import Iterator
from random import Random

import pytest

from mpi_pgd.recovery.datagrams import decode, encode, sign
from mpi_pgd.recovery.events import Message
from mpi_pgd.recovery.verdict import Answer

KEY, COOKIE = b"k" * 32, b"a cookie"


@pytest.mark.parametrize(
    "message",
    [Message("hello", 0), Message("look", 2**62, 4711), Message("reply", 7, answer=Answer(12, "reading größe.h5", 0.25))],
)
def test_what_was_encoded_is_decoded_with_the_same_key_alone(message: Message) -> None:
    data = encode(KEY, COOKIE, message)
    assert decode(KEY, data) == (COOKIE, message)
    assert decode(b"another", data) is None
    assert all(decode(KEY, data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]) is None for place in range(len(data)))


def garbage(random: Random) -> Iterator[bytes]:
    """Unsigned, and signed by a rank that says anything at all."""
    shapes = (None, "x", [], {}, -1, 2.0, True, "zz", [1, "s", 2.0], ["a", 1, None], [float("inf"), "", 0], [1], [1, 2, 3, 4])
    data = encode(KEY, COOKIE, Message("ask", 7))
    yield from (b"", b"short", data[:-1], data[1:], sign(KEY, b""), sign(KEY, b"[" * 4000), sign(KEY, b'{"kind": "ask"}'))
    yield from (random.randbytes(random.randrange(100)) for _ in range(100))
    yield from (sign(KEY, random.randbytes(random.randrange(100))) for _ in range(100))
    for _ in range(500):
        yield sign(KEY, json.dumps(random.choices(shapes, k=random.choice([1, 4, 5, 5, 6]))).encode())


def test_anything_else_is_dropped() -> None:
    assert [decode(KEY, data) for data in garbage(Random(5))] == [None] * 707
