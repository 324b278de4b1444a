"""A table as cells that a person reads, and as CSV, Markdown and LaTeX. CSV keeps the raw numbers, and all rows."""

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mpi_pgd.data.cells import inert
from mpi_pgd.report import units
from mpi_pgd.report.shapes import PARTS

_SCALED = {"seconds": units.TIME, "bytes": units.SIZE, "rate": units.RATE}
_ALONE: dict[str, Callable[[Any], str]] = {
    "seconds": units.seconds,
    "latency": units.seconds,
    "bytes": units.size,
    "rate": units.rate,
    "percent": units.percent,
    "error": lambda value: units.percent(value, sign=True),
    "count": lambda value: f"{value:,}",
    "number": units.digits,
    "precise": lambda value: units.digits(value, 6),
    "fixed": lambda value: f"{value:.2f}".replace("-", "\N{MINUS SIGN}"),
    "hash": lambda value: str(value)[:12],
}
MOST = 32  # rows of a table that a person reads through; a longer one is folded, or shows the rows that matter
SPREAD = 1e4  # a column whose values differ by more gets a unit in each cell


@dataclass(frozen=True)
class Column:
    """One column: the rows' key, its heading, what kind of value it holds.

    Kinds: text, hash, count, seconds, latency (seconds, each with a unit of its own), bytes, rate (bytes a second), percent,
    error (percent with its sign), number, precise (a number of six digits), and fixed (two decimals). Columns of one group are
    parts of one whole, so they share a unit.
    """

    key: str
    head: str
    kind: str = "text"
    group: str = ""

    @property
    def numeric(self) -> bool:
        """To be aligned on the right."""
        return self.kind not in ("text", "hash")


PART_COLUMNS = tuple(Column(name, name.capitalize(), "seconds", "round") for name in PARTS)


@dataclass(frozen=True)
class Table:
    """Rows under columns.

    Attributes:
        name: of its files.
        title: above it.
        mark: "predicted" or "simulated", where it holds such figures; else empty.
        shown: the rows that a person sees; None is all. CSV has all in any case.
        folded: whether the page hides it until it is asked for.
    """

    name: str
    title: str
    columns: Sequence[Column]
    rows: Sequence[Mapping[str, Any]]
    mark: str = ""
    shown: Sequence[Mapping[str, Any]] | None = None
    folded: bool = False

    def visible(self) -> Sequence[Mapping[str, Any]]:
        """The rows that a person sees."""
        return self.rows if self.shown is None else self.shown


def cells(table: Table) -> tuple[list[tuple[str, str]], list[list[str]]]:
    """Headings, each with its unit or "", and rows as text; a column has no unit if its values are too far apart for one."""
    rows = table.visible()
    values = {column.key: [row.get(column.key) for row in rows] for column in table.columns}
    heads, columns = [], []
    for column in table.columns:
        together = [value for other in table.columns if other.group == column.group for value in values[other.key] if column.group]
        unit, texts = _column(column, values[column.key], together)
        heads.append((column.head, unit))
        columns.append(texts)
    return heads, [list(row) for row in zip(*columns, strict=True)]


def _column(column: Column, values: Sequence[Any], together: Sequence[Any]) -> tuple[str, list[str]]:
    if column.kind in _SCALED:
        shared = _shared(values, together, _SCALED[column.kind])
        if shared:
            factor, unit = shared
            return unit, _aligned([None if value is None else value / factor for value in values], 3 if column.group else 6)
    show, zeros = _ALONE.get(column.kind, str), column.kind in _SCALED
    return "", [units.NONE if value is None else "0" if zeros and not value else show(value) for value in values]


def _shared(values: Sequence[float | None], together: Sequence[float | None], table: tuple[units.Scale, ...]) -> units.Scale | None:
    """The unit of a column: that of its group, unless the column would be all zeros in it."""
    sizes = [abs(value) for value in values if value]
    if not sizes or max(sizes) / min(sizes) > SPREAD:
        return None
    common = units.scale(max([abs(value) for value in together if value], default=0.0), table)
    return common if together and max(sizes) > 0.01 * common[0] else units.scale(max(sizes), table)


def _aligned(values: Sequence[float | None], most: int) -> list[str]:
    """With as many decimals, up to ``most``, as give the largest three digits, and the smallest two if it is not too small."""
    sizes = [abs(value) for value in values if value]
    least = units.decimals(max(sizes))
    places = min(most, max(least, min(units.decimals(min(sizes), 2), least + 2)))
    return [units.NONE if value is None else f"{value:,.{places}f}".replace("-", "\N{MINUS SIGN}") for value in values]


def to_text(table: Table) -> str:
    """A table under its title, columns aligned."""
    heads, rows = cells(table)
    lines = [list(map(_headed, heads)), *rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    sides = [">" if column.numeric else "<" for column in table.columns]

    def aligned(words: Sequence[str]) -> str:
        return "  ".join(f"{word:{side}{width}}" for word, side, width in zip(words, sides, widths, strict=True)).rstrip()

    return "\n".join([_titled(table), *map(aligned, lines)])


def to_csv(table: Table) -> str:
    """All rows, raw numbers in SI units, under the keys of the JSON files; nothing that a spreadsheet would run."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([column.key for column in table.columns])
    for row in table.rows:
        found = ["" if row.get(column.key) is None else row[column.key] for column in table.columns]
        writer.writerow([inert(cell) if isinstance(cell, str) else cell for cell in found])
    return out.getvalue()


def to_markdown(table: Table) -> str:
    """A GitHub table under its title."""
    heads, rows = cells(table)
    rule = ["---:" if column.numeric else "---" for column in table.columns]
    lines = [[_markdown(_headed(head)) for head in heads], rule, *([_markdown(cell) for cell in row] for row in rows)]
    return f"{_markdown(_titled(table))}\n\n" + "".join(f"| {' | '.join(line)} |\n" for line in lines)


def to_latex(table: Table) -> str:
    """A table environment that needs no package."""
    heads, rows = cells(table)
    lines = [" & ".join(map(_latex, line)) + r" \\" for line in (list(map(_headed, heads)), *rows)]
    align = "".join("r" if column.numeric else "l" for column in table.columns)
    body = [rf"\begin{{tabular}}{{{align}}}", r"\hline", lines[0], r"\hline", *lines[1:], r"\hline", r"\end{tabular}"]
    caption = rf"\caption{{{_latex(_titled(table))}}}"
    return "\n".join([r"\begin{table}", r"\centering", caption, *body, r"\end{table}", ""])


def _headed(head: tuple[str, str]) -> str:
    return ", ".join(filter(None, head))


def _titled(table: Table) -> str:
    return f"{table.title} ({table.mark})" if table.mark else table.title


def _markdown(text: str) -> str:
    """As text, not as markup or HTML, and on one line."""
    escaped = "".join(f"\\{letter}" if letter in "\\`*_[]<>|#" else letter for letter in text)
    return " ".join(escaped.replace("&", "&amp;").split())


_LATEX = {
    **{letter: f"\\{letter}" for letter in "#$%&_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "µ": r"$\mu$",
    "α": r"$\alpha$",
    "β": r"$\beta$",
    "×": r"$\times$",
    "·": r"$\cdot$",
    "\N{MINUS SIGN}": "$-$",
    units.NONE: "--",
    **{raised: f"$^{{{plain}}}$" for raised, plain in zip("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789", strict=True)},
    "ₘ": "$_m$",
}


def _latex(text: str) -> str:
    return " ".join("".join(_LATEX.get(letter, letter) for letter in text).split())


WRITERS = {"csv": to_csv, "md": to_markdown, "tex": to_latex}
