"""HTML put together so that no text gets into it unescaped."""

import html
from collections.abc import Iterable


class Markup(str):
    """Text that is HTML already; any other text is escaped."""

    __slots__ = ()


def tag(name: str, *children: str | Iterable[str], **attributes: str | int | None) -> Markup:
    """An element. A trailing "_" of an attribute's name is dropped (``class_``), any other becomes "-"; None leaves it out."""
    pairs = ((key.rstrip("_").replace("_", "-"), value) for key, value in attributes.items() if value is not None)
    opening = "".join(f' {key}="{html.escape(str(value))}"' for key, value in pairs)
    return Markup(f"<{name}{opening}>{join(*children)}</{name}>")


def join(*children: str | Iterable[str]) -> Markup:
    """Children one after the other, each escaped unless it is markup."""
    return Markup("".join(_safe(child) if isinstance(child, str) else join(*child) for child in children))


def _safe(text: str) -> str:
    return text if isinstance(text, Markup) else html.escape(text)
