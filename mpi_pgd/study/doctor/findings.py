"""What the doctor says: findings, the words and numbers in them, and how they look on a terminal."""

from collections.abc import Iterable, Sequence
from textwrap import fill
from typing import NamedTuple

from mpi_pgd.report.units import count

LEVELS = ("warning", "note", "ok")
WIDTH = 120  # columns
UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB")


class Finding(NamedTuple):
    """What one check found: ``level`` is ok, note or warning; ``advice`` is what to do, empty if there is nothing."""

    check: str
    level: str
    finding: str
    advice: str = ""


def text(findings: Sequence[Finding]) -> str:
    """What a terminal shows: warnings first, then notes, then a line for each check that is well."""
    counts = {level: sum(item.level == level for item in findings) for level in LEVELS}
    head = f"{count(counts['warning'], 'warning')}, {count(counts['note'], 'note')}, {counts['ok']} ok"
    chosen = sorted(findings, key=lambda item: LEVELS.index(item.level))
    width = max((len(item.check) for item in findings), default=0)
    return "\n".join([head, "", *(_lines(item, width) for item in chosen)])


def _lines(item: Finding, width: int) -> str:
    start = f"{item.level:<9}{item.check:<{width}}  "
    rest = " " * len(start)
    found = _filled(item.finding, start, rest)
    return f"{found}\n{_filled(item.advice, f'{rest}-> ', f'{rest}   ')}" if item.advice else found


def _filled(words: str, first: str, rest: str) -> str:
    """Wrapped between words only: a command or a path may be copied from it; and so may lines, which are not wrapped at all."""
    words, *lines = words.split("\n")
    filled = fill(words, WIDTH, initial_indent=first, subsequent_indent=rest, break_long_words=False, break_on_hyphens=False)
    return "\n".join([filled, *(rest + line for line in lines)])


def listed(numbers: Iterable[int], word: str = "rank") -> str:
    """``ranks 0-3, 7``."""
    runs: list[list[int]] = []
    for item in sorted(numbers):
        if runs and item == runs[-1][1] + 1:
            runs[-1][1] = item
        else:
            runs.append([item, item])
    words = [str(first) if first == last else f"{first}-{last}" for first, last in runs]
    one = len(words) == 1 and "-" not in words[0]
    return f"{word}{'' if one else 's'} {', '.join(words)}"


def memory(number: float) -> str:
    """Bytes with a binary unit, in which memory, caches and chunks are sized."""
    power = min((max(int(number), 1).bit_length() - 1) // 10, len(UNITS) - 1)
    value = number / 1024**power
    return f"{value:,.0f} {UNITS[power]}" if value >= 100 or not power else f"{value:.3g} {UNITS[power]}"
