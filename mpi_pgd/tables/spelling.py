"""How numbers and dates are spelled in text, and words for values that are missing: by these a column's kind is told."""

import re
from datetime import datetime

from mpi_pgd.tables.batch import Kind

# Those of pandas.
MISSING = (
    *("", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A", "NA", "NULL"),
    *("NaN", "None", "n/a", "nan", "null"),
)
TRUE, FALSE = ("true", "True", "TRUE"), ("false", "False", "FALSE")
BLANKS = 8  # of a field that holds blanks alone, at most

_NUMBER = r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?|[+-]?(inf|infinity)|nan(\(\w*\))?"
_TIME = r"\d{4}-\d\d-\d\d[ T]\d\d(:?\d\d(:?\d\d(\.\d{1,9})?)?)?"
_ZONE = r"(Z|[+-]\d\d(:?\d\d)?)"
# What another program, or another country, writes for a number.
_FOREIGN = r"[+-]?[$€£]?\s?(0[xX][0-9a-fA-F]+|[.,']?\d[\d.,_' ]*([eEdD][+-]?\d+)?)\s?[%$€£]?"
# Dates and times of a day in other spellings than those above.
_CLOCK = r"\d{1,2}:\d\d(:\d\d(\.\d+)?)?( ?[aApP][mM])?"
_DATE = r"\d{1,2}[/.-]\d{1,2}[/.-]\d{4}|\d{1,2}/\d{1,2}/\d\d|\d{4}[/.-]\d{1,2}[/.-]\d{1,2}|\d{1,2}[ .-]+[a-zA-Z]{3,9}[ .,-]+\d{4}"
_FOREIGN_DATE = rf"({_DATE})(,? {_CLOCK})?|{_CLOCK}"


def missing(more: tuple[str, ...]) -> list[str]:
    """All words for no value, also behind a blank."""
    named = [*MISSING, *more]
    return [*named, *(" " * count for count in range(1, BLANKS + 1)), *(f" {word}" for word in named if word)]


def is_number(text: str, decimal: str = ".") -> bool:
    """Whether it is one, as it is read here; infinity is one, too."""
    text = text.strip(" \t")
    if decimal != ".":
        if "." in text:
            return False
        text = text.replace(decimal, ".")
    return bool(re.fullmatch(_NUMBER, text, re.IGNORECASE | re.ASCII))


def is_foreign(text: str) -> bool:
    """Whether it is meant as a number, and spelled otherwise."""
    return bool(re.fullmatch(_FOREIGN, text.strip(), re.ASCII))


def is_foreign_date(text: str) -> bool:
    """Whether it is meant as a date or as a time of day, and spelled otherwise."""
    return bool(re.fullmatch(_FOREIGN_DATE, text.strip(), re.ASCII))


def kind_of(text: str, decimal: str) -> Kind:
    """What a value is by its spelling."""
    if is_number(text, decimal):
        return Kind.NUMBER
    if re.fullmatch(r"\d{4}-\d\d-\d\d", text, re.ASCII):
        return Kind.DAYS
    return Kind.SECONDS if re.fullmatch(_TIME + _ZONE + "?", text, re.ASCII) else Kind.WORDS


def in_calendar(text: str) -> bool:
    """Whether there is such a date, or such a date and time."""
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def is_fine(text: str) -> bool:
    """Whether it is a date and time that tells more than microseconds."""
    return bool(re.fullmatch(_TIME + _ZONE + "?", text, re.ASCII) and re.search(r"\.\d{7}", text))


def zoned(text: str) -> bool:
    """Whether a date and time says its zone."""
    return bool(re.fullmatch(_TIME + _ZONE, text, re.ASCII))
