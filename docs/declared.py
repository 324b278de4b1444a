"""Directives for what the code declares, so that no table of settings, algorithms or commands is written twice.

```{settings} [GROUP]          the settings of a fit, of one group or of all
```{losses}                    by the first line of what each says of itself
```{algorithms}                of each mode
```{commands}                  of the command line
```{page} COMMAND              the help of a command
"""

import inspect
import os
from collections.abc import Iterable, Sequence
from typing import Any

from docutils import nodes
from docutils.parsers.rst import Directive

from mpi_pgd import config
from mpi_pgd.cli.commands import COMMANDS, parser
from mpi_pgd.cli.help import first_page
from mpi_pgd.losses import LOSSES
from mpi_pgd.modes import MODES

WIDTH = "100"  # of help pages, in letters


class Declared(Directive):
    """One that may be told of what."""

    optional_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        return [self.shown(*self.arguments)]

    def shown(self, what: str = "") -> nodes.Node:
        raise NotImplementedError


class Settings(Declared):
    """Flag, default and meaning."""

    def shown(self, what: str = "") -> nodes.Node:
        chosen = [name for name, option in config.OPTIONS.items() if what in ("", option.metadata["group"])]
        if not chosen:
            raise self.error(f"no setting is of the group {what}")
        rows = ([*_flag(name), _text(name)] for name in chosen)
        return table(("flag", "default", "what it does"), rows)


class Losses(Declared):
    """Name and formula, and which targets it takes."""

    def shown(self, what: str = "") -> nodes.Node:
        rows = ([[name], inspect.getdoc(loss).splitlines()[0], inspect.getdoc(loss.labels)] for name, loss in LOSSES.items())
        return table(("loss", "of a row", "targets"), rows)


class Algorithms(Declared):
    """What each does, and what its collectives cost; of a library's own that is not known."""

    def shown(self, what: str = "") -> nodes.Node:
        rows = (
            [[mode], [one.name], one.text, "the library's choice" if one.library else one.shapes[0].formula]
            for mode, facts in MODES.items()
            for one in facts.algorithms
        )
        return table(("mode", "algorithm", "what it does", "what each of its collectives costs"), rows)


class Commands(Declared):
    """What each does, and whether it runs on ranks."""

    def shown(self, what: str = "") -> nodes.Node:
        rows = ([[name], command.text, "mpirun" if command.ranks else "alone"] for name, command in COMMANDS.items())
        return table(("command", "what it does", "started by"), rows)


class Page(Declared):
    """As the program prints it."""

    def shown(self, what: str = "") -> nodes.Node:
        os.environ["COLUMNS"] = WIDTH
        text = parser(what).format_help() if what else first_page()
        return nodes.literal_block(text, text, language="text")


def table(heads: Sequence[str], rows: Iterable[Sequence[str | list[str]]]) -> nodes.table:
    """Cells that are lists hold code, but for commas."""
    body = list(rows)
    group = nodes.tgroup("", *(nodes.colspec(colwidth=1) for _ in heads), cols=len(heads))
    group += nodes.thead("", _row(heads))
    group += nodes.tbody("", *map(_row, body))
    return nodes.table("", group)


def _row(cells: Sequence[str | list[str]]) -> nodes.row:
    return nodes.row("", *(nodes.entry("", nodes.paragraph("", "", *_inline(cell))) for cell in cells))


def _inline(cell: str | list[str]) -> list[nodes.Node]:
    if isinstance(cell, str):
        return [nodes.Text(cell)]
    return [nodes.Text(word) if word == ", " else nodes.literal(word, word) for word in cell]


def _text(name: str) -> str:
    """With what may be chosen."""
    found = config.OPTIONS[name].metadata
    return f"{found['text']} ({', '.join(found['choices'])})" if found["choices"] else str(found["text"])


def _flag(name: str) -> tuple[list[str], list[str] | str]:
    option = config.OPTIONS[name]
    flags = [config.flag(name)]
    if option.default is True:
        flags += [", ", f"--no-{name.replace('_', '-')}"]
    if option.type is bool:
        return flags, "on" if option.default else "off"
    return flags, "none" if option.default in ("", float("inf")) else [str(option.default)]


def setup(app: Any) -> dict[str, Any]:
    """For Sphinx."""
    for kind in (Settings, Losses, Algorithms, Commands, Page):
        app.add_directive(kind.__name__.lower(), kind)
    return {"parallel_read_safe": True}
