"""Words in the cells of tables, as spreadsheets take them."""

import re

FORMULA = ("=", "+", "-", "@", "\t", "\r")  # how a cell begins that a spreadsheet would run


def inert(text: str) -> str:
    """Text that no spreadsheet takes for a formula and runs: with an apostrophe first, where one would."""
    runs = text.startswith(FORMULA) and not re.fullmatch(r"[+-]?\d+(\.\d*)?(e[+-]?\d+)?", text)
    return f"'{text}" if runs else text
