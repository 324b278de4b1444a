"""What an option says of itself. Settings and the members of families have them as fields; flags, checks and help come of it."""

from collections.abc import Callable, Iterable
from dataclasses import Field, field, fields
from typing import Any, TypeVar

Check = Callable[[Any], bool]
Member = TypeVar("Member")

# Facts, see ``config.having``.
CARRIED, STUDIES = frozenset({"carried"}), frozenset({"studies"})
BITS = CARRIED | STUDIES | {"bits"}
DATA, TABLES, RANKS, SOLVER, MODEL = "data", "tables, such as CSV", "ranks and sums", "solver", "model"  # groups in the help
SURVIVAL, STRAGGLERS, OUTPUT = "checkpoints and lost ranks", "stragglers on purpose", "output"


def option(
    group: str,
    default: Any,
    text: str,
    expected: str,
    check: Check = lambda _: True,
    *,
    facts: frozenset[str] = frozenset(),
    choices: tuple[str, ...] = (),
) -> Any:
    """A field: its group and text in the help, what is expected where the check of a typed value fails, and its facts."""
    metadata = {"group": group, "text": text, "expected": expected, "check": check, "facts": facts, "choices": choices}
    return field(default=default, metadata=metadata)


def choice(group: str, text: str, *choices: str, facts: frozenset[str] = frozenset()) -> Any:
    """A field that is one of some words; the first is the default."""
    return option(group, choices[0], text, f"one of {', '.join(choices)}", choices.__contains__, facts=facts, choices=choices)


def switch(group: str, default: bool, text: str, facts: frozenset[str] = frozenset()) -> Any:
    """A field that is on or off."""
    return option(group, default, text, "true or false", facts=facts)


def options_of(members: Iterable[Any]) -> "dict[str, Field[Any]]":
    """The options of members, which are dataclasses, by name; those of one name are one option. Other fields are none."""
    return {item.name: item for member in members for item in fields(member) if item.metadata}


def made(member: Callable[..., Member], chosen: Any) -> Member:
    """A member whose options are as chosen: attributes of ``chosen``."""
    return member(**{name: getattr(chosen, name) for name in options_of([member])})
