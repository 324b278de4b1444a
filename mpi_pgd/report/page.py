"""The page of a report: one HTML document, from the records of a folder, their pictures and their tables."""

from collections.abc import Iterable, Mapping, Sequence
from importlib import resources
from typing import Any

import mpi_pgd
from mpi_pgd.report import units
from mpi_pgd.report.export import Column, Table, cells
from mpi_pgd.report.kinds import Kind, label, plain
from mpi_pgd.report.markup import Markup, join, tag
from mpi_pgd.report.records import RUN, Records
from mpi_pgd.report.shapes import Record
from mpi_pgd.report.subjects import problems
from mpi_pgd.report.theme import PALETTE, Drawn

TITLE = ", mpi_pgd report"  # by which a page is known for a report


def page(records: Records, drawn: Mapping[str, Sequence[Drawn]], tables: Mapping[str, Sequence[Table]]) -> str:
    """The document; ``drawn`` and ``tables`` by the names of the records."""
    head = tag(
        "head",
        Markup('<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'),
        Markup('<meta name="color-scheme" content="light dark"><link rel="icon" href="data:,">'),
        tag("title", f"{records.folder.resolve().name}{TITLE}"),
        tag("style", Markup(_palette() + _shipped("page.css"))),
    )
    return "<!doctype html>\n" + tag("html", head, tag("body", _body(records, drawn, tables)), lang="en") + "\n"


def _shipped(name: str) -> str:
    return resources.files("mpi_pgd.report").joinpath(name).read_text(encoding="utf-8")


def _palette() -> str:
    light, dark = ("".join(f"--{name}:{pair[place]};" for name, pair in PALETTE.items()) for place in (0, 1))
    return f":root{{{light}}}\n@media screen and (prefers-color-scheme: dark){{:root{{{dark}}}}}\n"


def _body(records: Records, drawn: Mapping[str, Sequence[Drawn]], tables: Mapping[str, Sequence[Table]]) -> Markup:
    kinds, sections = records.kinds, []
    found = problems([kind.problem(records.found[name]) for name, kind in kinds.items()])
    for one in found:
        some = [_section(kinds[name], records.found[name], drawn[name], tables[name]) for name in one.names]
        sections += [tag("p", one.title(), class_="problem"), *some] if len(found) > 1 else some
    explained = _formulas(records.kinds.values())
    if explained:
        sections.append(tag("section", tag("h2", "The formulas"), *explained, id="formulas"))
    sections.append(_provenance(records.found))
    titles = {name: kinds[name].title for one in found for name in one.names}
    titles |= {"formulas": "The formulas", "made": "How it was made"} if explained else {"made": "How it was made"}
    leads = [_lead([(kinds[name], records.found[name]) for name in one.names]) for one in found]
    heading = tag("h1", records.folder.resolve().name or str(records.folder))
    opening = (tag("p", "mpi_pgd report", class_="kicker"), heading, *(tag("p", lead, class_="lead") for lead in leads if lead))
    ending = f"mpi_pgd {mpi_pgd.__version__}. "
    ending += "The pictures lie as PNG and SVG in pictures/, the tables as CSV, Markdown and LaTeX in tables/."
    links = [tag("li", tag("a", title, href=f"#{name}")) for name, title in titles.items()]
    header = tag("header", *opening, tag("nav", tag("ul", *links), aria_label="Sections"))
    return tag("div", header, tag("main", *sections), tag("footer", ending), class_="page")


def _formulas(kinds: Iterable[Kind]) -> list[Markup]:
    """Those that the records make use of."""
    names = {f'id="formula-{name}"' for kind in kinds for name in kind.formulas}
    return [Markup(one) for one in _shipped("formulas.html").split("\n\n") if any(name in one for name in names)]


def _lead(some: Sequence[tuple[Kind, Record]]) -> str:
    """Of one problem what somebody in a hurry reads: what is a comparison says more than what is one run."""
    ranked = sorted(some, key=lambda one: one[0].lead)
    lead = [sentence for sentence in (kind.headline(record) for kind, record in ranked) if sentence][:1]
    more = [line for kind, record in some if kind.name == RUN for line in kind.remarks(record)]
    return " ".join(map(_sentence, lead + more))


def _sentence(text: str) -> str:
    """With a capital and a full stop."""
    return units.unbroken(text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else "."))


def _section(kind: Kind, record: Record, drawn: Sequence[Drawn], tables: Sequence[Table]) -> Markup:
    sentence = kind.headline(record)
    return tag(
        "section",
        tag("h2", kind.title, _mark(label(record))),
        tag("p", _sentence(sentence)) if sentence else "",
        _remarks(kind.remarks(record)),
        _list(kind.facts(record)),
        _fingerprints(record["rows"]) if kind.fingerprints else "",
        *map(_figure, drawn),
        *map(_table, tables),
        id=kind.name,
    )


def _remarks(lines: Sequence[str]) -> Markup | str:
    if len(lines) < 2:
        return join(*(tag("p", _sentence(line)) for line in lines))
    return tag("ul", *(tag("li", _sentence(line)) for line in lines))


def _mark(word: str) -> Markup | str:
    return join(" ", tag("span", word, class_="mark")) if word else ""


def _list(pairs: Sequence[tuple[str, str | Markup]]) -> Markup | str:
    told = ((key, value if isinstance(value, Markup) else units.unbroken(value)) for key, value in pairs)
    return tag("dl", *(join(tag("dt", key), tag("dd", value)) for key, value in told)) if pairs else ""


def _figure(drawn: Drawn) -> Markup:
    picture = drawn.picture
    heading, caption = tag("h3", picture.title, _mark(picture.mark)), tag("figcaption", _sentence(picture.caption))
    return tag("figure", heading, drawn.wide, drawn.narrow, caption, id=f"figure-{picture.name}")


def _table(table: Table) -> Markup:
    heads, rows = cells(table)
    width = len(table.columns)
    top = [tag("th", *_head(head), scope="col", class_=_class(column)) for head, column in zip(heads, table.columns, strict=True)]
    body = [tag("tr", *(_cell(row[place], table.columns[place], place) for place in range(width))) for row in rows]
    grid = tag("table", tag("thead", tag("tr", *top)), tag("tbody", *body), aria_label=table.title)
    scroll = tag("div", grid, class_="scroll", tabindex="0", role="region", aria_label=table.title)
    left_out = len(table.rows) - len(table.visible())
    rest = tag("p", f"All {len(table.rows):,} rows are in tables/{table.name}.csv.", class_="muted") if left_out else ""
    heading = tag("h3", table.title, _mark(table.mark))
    if table.folded:
        where = tag("span", f" {units.count(len(table.rows), 'row')}, tables/{table.name}.csv", class_="muted")
        return tag("details", tag("summary", heading, where), scroll, rest, class_="table")
    return tag("div", heading, scroll, rest, class_="table")


def _head(head: tuple[str, str]) -> list[str]:
    """The unit stands on a line of its own; read aloud, in one go with the heading."""
    name, unit = head
    return [name, tag("span", f" {unit}", class_="unit")] if unit else [name]


def _class(column: Column) -> str:
    if column.numeric:
        return "number"
    return "prose" if column.key in ("finding", "advice") else "word"


def _cell(text: str, column: Column, place: int) -> Markup:
    if place == 0:
        return tag("th", text, scope="row", class_=_class(column))
    if column.key == "level":
        known = text if text in ("ok", "note", "warning") else "note"
        return tag("td", text, class_=f"word level level-{known}")
    return tag("td", tag("code", text) if column.kind == "hash" else text, class_=_class(column))


def _provenance(every: Mapping[str, Record]) -> Markup:
    """The commands; then machine and versions, once for all records that share them."""
    groups: dict[tuple[tuple[str, str], ...], list[str]] = {}
    for name, record in every.items():
        groups.setdefault(tuple(_machine(record)), []).append(name)
    commands = [(name, record["command"]) for name, record in every.items() if record.get("command")]
    return tag(
        "section",
        tag("h2", "How it was made"),
        *(join(tag("h3", f"Command: {name}"), tag("pre", command)) for name, command in commands),
        *(join(tag("h3", f"Machine and versions: {', '.join(names)}"), _list(pairs)) for pairs, names in groups.items() if pairs),
        id="made",
    )


def _fingerprints(rows: Sequence[Record]) -> Markup | str:
    """Whether the rows of a study that were fitted to the same data came to the same weights."""
    found: dict[Any, set[str]] = {}
    for row in rows:
        if row.get("weights_sha256"):
            found.setdefault(row.get("rows"), set()).add(row["weights_sha256"])
    if not found or len(rows) == 1:
        return ""
    if any(len(prints) > 1 for prints in found.values()):
        return tag("p", "The weights are not the same for the same data: see the fingerprints in the table.")
    if len(found) > 1:
        return tag("p", "Whatever the mode and the number of ranks, the same data gave the same weights, bit for bit.")
    return tag("p", f"All {len(rows)} rows came to the same weights, bit for bit: sha256 ", tag("code", *found.popitem()[1]))


def _machine(record: Record) -> list[tuple[str, str]]:
    """Where a record was made, and with what."""
    where = record.get("machine") or {}
    hosts = where.get("hosts") or record.get("hosts") or {}
    names = ", ".join(f"{host} ({number})" for host, number in list(hosts.items())[:8])
    more = f" and {len(hosts) - 8:,} more" if len(hosts) > 8 else ""
    memory = where.get("memory_bytes")
    found = [
        ("hosts (ranks)", names + more),
        ("cores of a host", plain(where["cores"]) if where.get("cores") else ""),
        ("processor", where.get("processor") or ""),
        ("memory", units.size(memory) if isinstance(memory, int | float) else ""),
        ("system", where.get("system") or ""),
        *((key, plain(value)) for key, value in (record.get("versions") or {}).items()),
    ]
    return [(key, plain(value)) for key, value in found if value]
