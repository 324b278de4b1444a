"""Directives for what the code declares, so that no table of settings, algorithms or commands is written twice.

```{settings} [GROUP]          the settings of a fit, of one group or of all
```{losses}                    by the first line of what each says of itself
```{penalties}                 likewise
```{solvers}                   likewise; which objectives each takes, and when it is chosen, is asked of it
```{algorithms}                of each mode
```{formats}                   of tables
```{commands}                  of the command line
```{page} COMMAND [ACTION]     the help of a command
"""

import inspect
import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from docutils import nodes
from docutils.parsers.rst import Directive

from mpi_pgd import config
from mpi_pgd.cli.commands import COMMANDS, parser
from mpi_pgd.cli.help import first_page
from mpi_pgd.engine.tasks import Ask
from mpi_pgd.errors import InputError
from mpi_pgd.losses import LOSSES
from mpi_pgd.modes import MODES
from mpi_pgd.options import options_of
from mpi_pgd.penalties import PENALTIES
from mpi_pgd.solvers import SOLVERS
from mpi_pgd.solvers.auto import Auto
from mpi_pgd.solvers.suit import MATRIX, Choice, Facts
from mpi_pgd.tables import FORMATS

WIDTH = "100"  # of help pages, in letters
ASKS = {
    Ask.HESSIAN: "the Hessian of all rows",
    Ask.SAMPLE: "the Hessian of a sample of rows",
    Ask.PRECISE: "gradients in twice the precision",
    Ask.COLUMNS: "the Hessian of some columns",
    Ask.BATCH: "a batch of rows in place of all",
}
CHOOSER = Auto  # of the solvers, that which solves nothing itself
# Problems of all kinds.
SMOOTH = Facts(rows=1_000_000, size=200, outputs=1, quadratic=False)
ROUGH, WIDE = SMOOTH._replace(rough="--l1"), SMOOTH._replace(size=2 * MATRIX)
CASES = (
    *(SMOOTH, SMOOTH._replace(size=20), WIDE, SMOOTH._replace(hessians=False)),
    *(SMOOTH._replace(quadratic=True), WIDE._replace(quadratic=True)),
    *(ROUGH, ROUGH._replace(outputs=3), SMOOTH._replace(step=0.1), SMOOTH._replace(endless=True)),
)


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
    """Name and formula, which targets it takes, and its options."""

    def shown(self, what: str = "") -> nodes.Node:
        rows = ([[name], _head(loss), inspect.getdoc(loss.labels), _flags(loss)] for name, loss in LOSSES.items())
        return table(("loss", "of a row", "targets", "options"), rows)


class Penalties(Declared):
    """Formula and options."""

    def shown(self, what: str = "") -> nodes.Node:
        rows = ([[name], _head(one), _flags(one)] for name, one in PENALTIES.items())
        return table(("penalty", "of the weights", "options"), rows)


class Solvers(Declared):
    """Update, what it asks of a round, which objectives it takes, its options, and when it is chosen for the user."""

    def shown(self, what: str = "") -> nodes.Node:
        choices = [CHOOSER().suited(facts) for facts in CASES]
        rows = (
            [[name], _head(one), _asked(one()), _taken(one()), _flags(one), "; ".join(_reasons(choices, name))]
            for name, one in SOLVERS.items()
            if one is not CHOOSER
        )
        return table(("solver", "update", "beside gradients", "objectives", "options", "auto takes it"), rows)


class Algorithms(Declared):
    """What each does, and what its collectives cost; of a library's own that is not known."""

    def shown(self, what: str = "") -> nodes.Node:
        rows = (
            [[mode], [one.name], one.text, "the library's choice" if one.library else one.shapes[0].formula]
            for mode, facts in MODES.items()
            for one in facts.algorithms
        )
        return table(("mode", "algorithm", "what it does", "what each of its collectives costs"), rows)


class Formats(Declared):
    """By the endings of their files' names."""

    def shown(self, what: str = "") -> nodes.Node:
        rows = ([each.text, [word for ending in each.endings for word in (", ", ending)][1:]] for each in FORMATS.values())
        return table(("what", "endings"), rows)


class Commands(Declared):
    """What each does, and whether it runs on ranks."""

    def shown(self, what: str = "") -> nodes.Node:
        rows = ([[name], command.text, "mpirun" if command.ranks else "alone"] for name, command in COMMANDS.items())
        return table(("command", "what it does", "started by"), rows)


class Page(Declared):
    """As the program prints it."""

    def shown(self, what: str = "") -> nodes.Node:
        os.environ["COLUMNS"] = WIDTH
        name, *action = what.split() or [""]
        text = parser(name, action).format_help() if name else first_page()
        return nodes.literal_block(text, text, language="text")


def _head(member: Any) -> str:
    """The first line of what a member says of itself."""
    return inspect.getdoc(member).splitlines()[0]


def _flags(member: Any) -> list[str]:
    """Its options, as code."""
    flags = [config.flag(name) for name in options_of([member])]
    return [word for flag in flags for word in (", ", flag)][1:]


def _asked(solver: Any) -> str:
    """What a round may be asked for, whatever the problem."""
    needs = {ask for facts in CASES if (choice := _suited(solver, facts)) for ask in choice.solver.needs}
    return "; ".join(ASKS[ask] for ask in sorted(needs)) or "nothing"


def _taken(solver: Any) -> str:
    """Which objectives it does not refuse."""
    found = "all" if _suited(solver, ROUGH) else "smooth ones"
    return found if _suited(solver, WIDE) else f"{found}; smooth ones of at most {MATRIX:,} unknowns"


def _suited(solver: Any, facts: Facts) -> Choice | None:
    try:
        return solver.suited(facts)
    except InputError:
        return None


def _reasons(choices: Iterable[Choice], name: str) -> Iterator[str]:
    """Why it is chosen, each reason once."""
    return iter(dict.fromkeys(choice.reason for choice in choices if choice.name == name))


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
    for kind in (Settings, Losses, Penalties, Solvers, Algorithms, Formats, Commands, Page):
        app.add_directive(kind.__name__.lower(), kind)
    return {"parallel_read_safe": True}
