"""What a person chooses of how a table becomes rows: a field each, from which flags, checks and help come."""

from dataclasses import dataclass

from mpi_pgd.options import TABLES, choice, option

ONE_HOT, CODES = "one-hot", "codes"
REFUSE, DROP, MEAN = "refuse", "drop", "mean"
FIRST, NONE = "first", "none"
MOST = 1 << 20  # levels of a column


@dataclass(frozen=True)
class Choices:
    """Of a table's columns. Names in lists are separated by commas, and may be patterns such as ``size_*``."""

    target: str = option(TABLES, "", "the column with the targets", "a column's name")
    features: str = option(TABLES, "", "columns that are features; default: all others", "names or patterns")
    drop: str = option(TABLES, "", "columns that are none", "names or patterns")
    categorical: str = option(TABLES, "", "columns of categories, also where they look like numbers", "names or patterns")
    categories: str = choice(TABLES, "categories become a column of 0 and 1 each, or one of codes, 0 for the first", ONE_HOT, CODES)
    reference: str = choice(TABLES, "category that gets no column of its own, as its effect is in the intercept", FIRST, NONE)
    levels: int = option(
        TABLES,
        256,
        "categories of a column, at most",
        f"a whole number from 1 to {MOST}",
        lambda v: 1 <= v <= MOST,
    )
    missing: str = choice(
        TABLES,
        "rows that miss a value are refused, or dropped; or it is the mean, and a column more says where",
        REFUSE,
        DROP,
        MEAN,
    )
    na: str = option(TABLES, "", "more words for a value that is missing", "words, separated by commas")
    delimiter: str = option(
        TABLES,
        "",
        "what stands between fields; default: a comma, or a tab in .tsv",
        "one sign, or tab",
        lambda v: v in ("", "tab") or len(v.encode()) == 1,
    )
    decimal: str = option(TABLES, ".", "the mark before a fraction", ". or ,", lambda v: v in (".", ","))


def split(text: str) -> tuple[str, ...]:
    """A list of names, separated by commas."""
    return tuple(word.strip() for word in text.split(",") if word.strip())
