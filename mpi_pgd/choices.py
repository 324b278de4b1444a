"""What a person chooses of how a table becomes rows: a field each, from which flags, checks and help come."""

from dataclasses import dataclass

from mpi_pgd.options import BITS, DATA, choice, option

ONE_HOT, CODES = "one-hot", "codes"
REFUSE, DROP, MEAN = "refuse", "drop", "mean"
FIRST, NONE = "first", "none"
TABLE = "of a table: "
MOST = 1 << 20  # levels of a column


@dataclass(frozen=True)
class Choices:
    """Of a table's columns. Names in lists are separated by commas, and may be patterns such as ``size_*``."""

    target: str = option(DATA, "", f"{TABLE}the column with the targets", "a column's name", facts=BITS)
    features: str = option(DATA, "", f"{TABLE}columns that are features; default: all others", "names or patterns", facts=BITS)
    drop: str = option(DATA, "", f"{TABLE}columns that are none", "names or patterns", facts=BITS)
    categorical: str = option(
        DATA, "", f"{TABLE}columns of categories, also where they look like numbers", "names or patterns", facts=BITS
    )
    categories: str = choice(
        DATA, f"{TABLE}categories become a column of 0 and 1 each, or one of codes, 0 for the first", ONE_HOT, CODES, facts=BITS
    )
    reference: str = choice(
        DATA, f"{TABLE}category that gets no column of its own, as its effect is in the intercept", FIRST, NONE, facts=BITS
    )
    levels: int = option(
        DATA,
        256,
        f"{TABLE}categories of a column, at most",
        f"a whole number from 1 to {MOST}",
        lambda v: 1 <= v <= MOST,
        facts=BITS,
    )
    missing: str = choice(
        DATA,
        f"{TABLE}rows that miss a value are refused, or dropped; or it is the mean, and a column more says where",
        REFUSE,
        DROP,
        MEAN,
        facts=BITS,
    )
    na: str = option(DATA, "", f"{TABLE}more words for a value that is missing", "words, separated by commas", facts=BITS)
    delimiter: str = option(
        DATA,
        "",
        f"{TABLE}what stands between fields; default: a comma, or a tab in .tsv",
        "one sign, or tab",
        lambda v: v in ("", "tab") or len(v.encode()) == 1,
        facts=BITS,
    )
    decimal: str = option(DATA, ".", f"{TABLE}the mark before a fraction", ". or ,", lambda v: v in (".", ","), facts=BITS)


def split(text: str) -> tuple[str, ...]:
    """A list of names, separated by commas."""
    return tuple(word.strip() for word in text.split(",") if word.strip())
