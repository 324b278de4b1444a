"""What a check of rows found, as a person reads it."""

from collections.abc import Mapping, Sequence
from typing import Any

from mpi_pgd.errors import printable

SHOWN = 40  # columns
NAME = 30  # letters of a name
HEAD = ("column", "least", "most", "mean", "deviation", "missing", "zeros")


def text(record: Mapping[str, Any]) -> str:
    """The record of ``data check``: a table of columns, the targets, the findings."""
    lines = [f"{record['rows']:,} rows, {record['features']:,} {'sparse ' * record['sparse']}features"]
    rows = [_row(column) for column in [*record["beside"], *record["columns"][:SHOWN]]]
    widths = [max(len(row[place]) for row in (HEAD, *rows)) for place in range(len(HEAD))]
    lines += [_aligned(row, widths) for row in (HEAD, *rows)]
    if record["features"] > SHOWN:
        lines.append(f"... and {record['features'] - SHOWN:,} more features")
    for target, column in zip(record["targets"], record["beside"], strict=False):
        lines.append(f"{printable(column['name'])[:NAME]}: {_target(target, record['rows'])}")
    found = record["findings"]
    lines.append(f"{len(found)} finding{'s' * (len(found) != 1)}:" if found else "nothing was found to be wrong")
    return "\n".join([*lines, *(f"  {each['kind']}: {printable(each['text'])}" for each in found)])


def _aligned(row: Sequence[str], widths: Sequence[int]) -> str:
    numbers = (f"{word:>{width}}" for word, width in zip(row[1:], widths[1:], strict=True))
    return "  ".join([f"{row[0]:<{widths[0]}}", *numbers])


def _row(column: Mapping[str, Any]) -> tuple[str, ...]:
    figures = ["-" if column[key] is None else f"{column[key]:.6g}" for key in HEAD[1:5]]
    return printable(column["name"])[:NAME], *figures, f"{column['missing'] + column['infinite']:,}", f"{column['zeros']:,}"


def _target(target: Mapping[str, Any], rows: int) -> str:
    if target["values"]:
        return ", ".join(f"{value:g} in {count / rows:.2%}" for value, count in target["values"])
    if not target["quartiles"]:
        return "no value is finite"
    about = "" if target["share_looked_at"] == 1 else f" (of {target['share_looked_at']:.1%} of the rows)"
    return f"quartiles {', '.join(f'{value:.6g}' for value in target['quartiles'])}{about}"
