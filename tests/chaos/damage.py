"""What a bad disk, a cut copy or a stray program does to the bytes of a file."""

from collections.abc import Callable
from random import Random

Damage = Callable[[bytearray, Random], None]
NUMBERS = (0, 1, 0x7F, 0xFF, 0xFFFF, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**62, 2**63 - 1, 2**63, 2**64 - 1)


def damaged(content: bytes, draw: Random) -> tuple[bytes, str]:
    """Other bytes, and what was done to them."""
    while True:
        new, words = bytearray(content), []
        for _ in range(draw.choice((1, 1, 1, 2, 3))):
            damage = draw.choice(DAMAGES)
            damage(new, draw)
            words.append(damage.__name__)
        if bytes(new) != content:
            return bytes(new), ", ".join(words)


def _place(content: bytearray, draw: Random) -> int:
    """Anywhere; half the time near the start, where formats keep what they say of the rest."""
    return draw.randrange(max(1, min(len(content), draw.choice((len(content), 1024)))))


def _range(content: bytearray, draw: Random) -> slice:
    start = _place(content, draw)
    return slice(start, start + draw.choice((1, 4, 8, 64, 512, 4096)))


def flip_bit(content: bytearray, draw: Random) -> None:
    if content:
        content[_place(content, draw)] ^= 1 << draw.randrange(8)


def other_byte(content: bytearray, draw: Random) -> None:
    if content:
        content[_place(content, draw)] = draw.randrange(256)


def number(content: bytearray, draw: Random) -> None:
    """A number that programs forget, in one of the widths in which lengths and offsets are kept."""
    start, width = _place(content, draw), draw.choice((1, 2, 4, 8))
    value = draw.choice(NUMBERS) % 256**width
    content[start : start + width] = value.to_bytes(width, draw.choice(("little", "little", "big")))


def zeros(content: bytearray, draw: Random) -> None:
    part = _range(content, draw)
    content[part] = bytes(len(content[part]))


def ones(content: bytearray, draw: Random) -> None:
    part = _range(content, draw)
    content[part] = b"\xff" * len(content[part])


def noise(content: bytearray, draw: Random) -> None:
    part = _range(content, draw)
    content[part] = draw.randbytes(len(content[part]))


def cut(content: bytearray, draw: Random) -> None:
    del content[_place(content, draw) :]


def lose(content: bytearray, draw: Random) -> None:
    del content[_range(content, draw)]


def repeat(content: bytearray, draw: Random) -> None:
    part = _range(content, draw)
    content[part.start : part.start] = content[part]


def move(content: bytearray, draw: Random) -> None:
    """A sector in the place of another."""
    source, target = _range(content, draw), _place(content, draw)
    piece = content[source]
    content[target : target + len(piece)] = piece


def extend(content: bytearray, draw: Random) -> None:
    content += draw.choice((bytes, draw.randbytes))(draw.choice((1, 8, 512, 70_000)))


DAMAGES: tuple[Damage, ...] = (flip_bit, flip_bit, other_byte, number, number, zeros, ones, noise, cut, lose, repeat, move, extend)
