"""What can go wrong, in the words that a person reads."""

from collections.abc import Iterable, Mapping, Sequence

LONGEST = 2000  # characters of a sentence: a name may be a whole file
INDENT = "    "
NAMED = 10  # things that a sentence names; of more it says how many


class InputError(ValueError):
    """Something the user gave can't be used: one sentence that says what, what was expected, and what to do.

    Ranks agree on it (``mpi_pgd.comm.world.agreement``): each raises the same one, so none is left waiting. What a file
    or a user called something may hold line breaks, or what a terminal would obey: that is written as an escape.

    Args:
        sentence: says all, or ends with a colon before ``lines``.
        lines: of a program, to be copied, each below the other.

    Attributes:
        code: that the program ends with.
    """

    code = 2

    def __init__(self, sentence: str, *lines: str) -> None:
        super().__init__(f"\n{INDENT}".join(map(_shown, (sentence, *lines))))

    @classmethod
    def again(cls, text: str, code: int = code) -> "InputError":
        """The error whose text and code these are, on another rank."""
        made = cls(*text.split(f"\n{INDENT}"))
        made.code = code
        return made


class Stopped(InputError):
    """A signal came while nothing was written yet, and nothing will be."""

    code = 75  # try again

    def __init__(self) -> None:
        super().__init__("stopped by a signal: nothing was written")


def printable(name: object) -> str:
    """``name`` as text: one in a file may hold bytes that are no text, line breaks, and what a terminal would obey."""
    text = name.decode(errors="backslashreplace") if isinstance(name, bytes) else str(name)
    return text if text.isprintable() else "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in text)


def edged(name: str) -> str:
    """A name in a sentence, where blanks around it would not be seen."""
    return printable(name) if name == name.strip() else f"'{printable(name)}'"


def listed(names: Sequence[str]) -> str:
    """Names in a sentence: "a, b and c"; of many the first ones, and how many more there are."""
    more = len(names) - NAMED
    if more > 0:
        return f"{', '.join(names[:NAMED])} and {more:,} more"
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def _shown(text: str) -> str:
    shown = printable(text if len(text) <= 2 * LONGEST else text[:LONGEST] + text[-LONGEST:])  # a sign's escape is longer than it
    return shown if len(shown) <= LONGEST else f"{shown[: LONGEST // 2]} ... {shown[-LONGEST // 2 :]}"


def nearest(word: str, known: Iterable[str], synonyms: Mapping[str, str] | None = None) -> str:
    """`` (did you mean X?)`` with the known word that means the same, or else is spelled nearly so; or nothing.

    ``synonyms`` has more of other programs' words for known ones, with spaces between them.
    """
    from mpi_pgd.synonyms import SYNONYMS  # only a mistake needs it

    names = {_plain(name): name for name in reversed(list(known))}
    given = _plain(word)
    also = [name for name, words in (synonyms or {}).items() if given in words.split()]
    same = [given, *also, *SYNONYMS.get(given, ()), *(f"no-{name}" for name in SYNONYMS.get(given.removeprefix("no-"), ()))]
    found = [name for name in same if name in names] or _alike(given, list(reversed(names)))
    return f" (did you mean {edged(names[found[0]])}?)" if found else ""


def _plain(word: str) -> str:
    return word.lstrip("-").replace("_", "-").lower()


def _alike(word: str, names: list[str]) -> list[str]:
    """Names within one slip of the hand, or two in a word of six letters and more; or the only one that begins so."""
    similar = [name for name in names if abs(len(word) - len(name)) <= 2 and len(word) < 100]  # others take long
    slips = {name: _slips(word, name) for name in similar if min(len(word), len(name)) > 2}
    close = [name for name, number in slips.items() if number <= (1 if len(word) < 6 else 2)]
    begins = [name for name in names if len(word) > 2 and name.startswith(word)]
    return sorted(close, key=slips.__getitem__) or (begins if len(begins) == 1 else [])


def _slips(one: str, other: str) -> int:
    """Letters that were left out, added, mistaken for another, or swapped with the next, to come from one word to the other."""
    before, last = [0] * (len(other) + 1), list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        row = [i]
        for j, wanted in enumerate(other, 1):
            least = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (letter != wanted))
            swapped = i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == wanted
            row.append(min(least, before[j - 2] + 1) if swapped else least)
        before, last = last, row
    return last[-1]
