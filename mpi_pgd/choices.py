"""What a person chooses of how a table becomes rows: a field each, from which flags, checks and help come."""

from dataclasses import dataclass
from functools import partial

from mpi_pgd import options

ONE_HOT, CODES = "one-hot", "codes"
REFUSE, DROP, MEAN = "refuse", "drop", "mean"
FIRST, NONE = "first", "none"
MOST = 1 << 20  # levels of a column

_option = partial(options.option, options.TABLES, facts=options.STUDIES)
_choice = partial(options.choice, options.TABLES, facts=options.STUDIES)


@dataclass(frozen=True)
class Choices:
    """Of a table's columns. Names in lists are separated by commas, and may be patterns such as ``size_*``."""

    target: str = _option("", "the column with the targets", "a column's name")
    features: str = _option("", "columns that are features; default: all others", "names or patterns")
    drop: str = _option("", "columns that are none", "names or patterns")
    categorical: str = _option("", "columns of categories, also where they look like numbers", "names or patterns")
    categories: str = _choice("categories become a column of 0 and 1 each, or one of codes, 0 for the first", ONE_HOT, CODES)
    reference: str = _choice("category that gets no column of its own, as its effect is in the intercept", FIRST, NONE)
    levels: int = _option(
        256,
        "categories of a column, at most",
        f"a whole number from 1 to {MOST}",
        lambda v: 1 <= v <= MOST,
    )
    missing: str = _choice(
        "rows that miss a value are refused, or dropped; or it is the mean, and a column more says where",
        REFUSE,
        DROP,
        MEAN,
    )
    na: str = _option("", "more words for a value that is missing", "words, separated by commas")
    delimiter: str = _option(
        "",
        "what stands between fields; default: a comma, or a tab in .tsv",
        "one sign, or tab",
        lambda v: v in ("", "tab") or len(v.encode()) == 1,
    )
    decimal: str = _option(".", "the mark before a fraction", ". or ,", lambda v: v in (".", ","))


def split(text: str) -> tuple[str, ...]:
    """A list of names, separated by commas."""
    return tuple(word.strip() for word in text.split(",") if word.strip())
