"""A folder's run and studies as one HTML file that needs nothing else, with its pictures and tables as files beside it."""

import contextlib
import hashlib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from importlib import resources
from pathlib import Path

import mpi_pgd
from mpi_pgd.errors import InputError
from mpi_pgd.report import ink, sheets, units
from mpi_pgd.report.export import WRITERS, Column, Table, cells
from mpi_pgd.report.formulas import formulas
from mpi_pgd.report.ink import PALETTE, Drawn, Picture
from mpi_pgd.report.markup import Markup, join, tag
from mpi_pgd.report.progress import steps
from mpi_pgd.report.records import Record, Records, read
from mpi_pgd.report.sections import TITLES, facts, fingerprints, headline, machine, pictures, remarks
from mpi_pgd.report.subjects import problems
from mpi_pgd.system import output
from mpi_pgd.system.claims import Claim

TITLE, HEAD_BYTES = ", mpi_pgd report", 4096  # by which a page is known for a report
MANIFEST = ".report.json"  # the sums of the pictures and tables
Planned = Mapping[str, Sequence[Picture]]
Tables = Mapping[str, Sequence[Table]]
# Whose sentence stands above all: what is a comparison says more than what is one run.
_FIRST = ("compare", "scaling", "run", "straggler", "plan", "network", "doctor")


def write(folder: str, out: str | None = None, force: bool = False, shown: bool = False) -> list[Path]:
    """Make the report of what lies in ``folder``.

    Args:
        folder: with run.json, history.csv and trace.json, or study files, or both.
        out: the HTML file; ``folder``/report.html if None. Pictures and tables go to ``folder``/pictures and /tables.
        force: files that no report has written, or that were changed since, may be overwritten.
        shown: whether to say how far it is.

    Returns:
        The files written, the HTML file first: all of them, or none. Those of an earlier report that this one has not go.

    Raises:
        InputError: no such folder; nothing in it; a file that is damaged or of another version; no matplotlib; the
            report can't be written, or would overwrite what is not its own.
    """
    records = read(folder)
    ink.need()
    page = Path(out) if out is not None else records.folder / "report.html"
    if page.is_dir():
        raise InputError(f"--out {page} is a folder: give the name of the HTML file")
    with Claim(f"report {folder}", records.folder, [MANIFEST], ".report.lock"), ExitStack() as stack:
        with _refusing(page):
            for place in (page.parent, records.folder / "tables", records.folder / "pictures"):
                stack.enter_context(output.made(place))
        planned, tables = pictures(records), sheets.tables(records)
        _spare(records.folder, page, planned, tables, force)  # before the pictures are drawn, which may take minutes
        contents = _contents(records, page, planned, tables, shown)
        _replace(records.folder, page, contents)
        output.unmake([records.folder / "pictures"])  # of a record that has none
        return list(contents)


def _contents(records: Records, page: Path, planned: Planned, tables: Tables, shown: bool) -> dict[Path, bytes]:
    drawn: dict[str, list[Drawn]] = {name: [] for name in planned}
    for name, plan in steps("picture", [(name, plan) for name, some in planned.items() for plan in some], shown):
        drawn[name].append(ink.drawn(plan))
    contents = {page: _page(records, drawn, tables).encode()}
    for picture in (item for some in drawn.values() for item in some):
        path = records.folder / "pictures" / picture.picture.name
        contents |= {path.with_suffix(".png"): picture.png, path.with_suffix(".svg"): picture.svg}
    for table in (item for some in tables.values() for item in some):
        path = records.folder / "tables" / table.name
        contents |= {path.with_suffix(f".{kind}"): make(table).encode() for kind, make in WRITERS.items()}
    return contents


@contextlib.contextmanager
def _refusing(page: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        where = f" at {error.filename}" if error.filename and ".part" not in str(error.filename) else ""
        raise InputError(
            f"the report {page} can't be written ({error.strerror}{where}): make room, or give another --out"
        ) from None


def _spare(folder: Path, page: Path, planned: Planned, tables: Tables, force: bool) -> None:
    """Refuse to write over what is not of an earlier report: pictures and tables are known by their sums."""
    drawn = [folder / "pictures" / f"{plan.name}.{kind}" for some in planned.values() for plan in some for kind in ("png", "svg")]
    listed = [folder / "tables" / f"{table.name}.{kind}" for some in tables.values() for table in some for kind in WRITERS]
    before = output.says(folder / MANIFEST)

    def judge(path: Path) -> str:
        if path == page:
            return "" if TITLE.encode() in path.read_bytes()[:HEAD_BYTES] else "is no report"
        return "" if before.get(_named(path)) == _sum(path) else "no report has written, or was changed since"

    with _refusing(page):
        paths = [page, *drawn, *listed]
        output.protect([(path, f"report {folder}") for path in paths], folder.glob("*.json"))
        output.spare(f"report {folder}", dict.fromkeys(paths, judge), force)


def _replace(folder: Path, page: Path, contents: dict[Path, bytes]) -> None:
    """Write all; those of an earlier report that have no successor go."""
    before = output.says(folder / MANIFEST)
    sums = {path: hashlib.sha256(content).hexdigest() for path, content in contents.items()}
    with _refusing(page):
        old = [folder / kind / name for kind, name in map(os.path.split, before) if kind in ("pictures", "tables")]
        gone = [path for path in old if path not in contents and path.is_file() and before[_named(path)] == _sum(path)]
        for place in {path.parent for path in contents}:
            output.tidy(place, [path.name for path in contents])
        manifest = {_named(path): value for path, value in sums.items() if path != page}
        last = {path: output.raw(content) for path, content in reversed(contents.items())}  # the page last
        output.replace({**dict.fromkeys(gone), folder / MANIFEST: output.document(manifest), **last})


def _named(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"


def _sum(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _page(records: Records, drawn: Mapping[str, Sequence[Drawn]], tables: Mapping[str, Sequence[Table]]) -> str:
    style = _palette() + resources.files("mpi_pgd.report").joinpath("page.css").read_text(encoding="utf-8")
    title = f"{records.folder.resolve().name}{TITLE}"
    head = tag(
        "head",
        Markup('<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'),
        Markup('<meta name="color-scheme" content="light dark"><link rel="icon" href="data:,">'),
        tag("title", title),
        tag("style", Markup(style)),
    )
    return "<!doctype html>\n" + tag("html", head, tag("body", _body(records, drawn, tables)), lang="en") + "\n"


def _palette() -> str:
    light, dark = ("".join(f"--{name}:{pair[place]};" for name, pair in PALETTE.items()) for place in (0, 1))
    return f":root{{{light}}}\n@media screen and (prefers-color-scheme: dark){{:root{{{dark}}}}}\n"


def _body(records: Records, drawn: Mapping[str, Sequence[Drawn]], tables: Mapping[str, Sequence[Table]]) -> Markup:
    every, sections = records.all(), []
    found = problems(every)
    for one in found:
        some = [_section(name, every[name], records, drawn[name], tables[name]) for name in one.names]
        sections += [tag("p", one.title(), class_="problem"), *some] if len(found) > 1 else some
    explained = formulas(records)
    if explained:
        sections.append(tag("section", tag("h2", "The formulas"), *explained, id="formulas"))
    sections.append(_provenance(every))
    titles = (
        {name: TITLES[name] for one in found for name in one.names}
        | ({"formulas": "The formulas"} if explained else {})
        | {"made": "How it was made"}
    )
    header = tag("header", *_opening(records), _navigation(titles))
    ending = f"mpi_pgd {mpi_pgd.__version__}. "
    ending += "The pictures lie as PNG and SVG in pictures/, the tables as CSV, Markdown and LaTeX in tables/."
    return tag("div", header, tag("main", *sections), tag("footer", ending), class_="page")


def _opening(records: Records) -> list[Markup]:
    every = records.all()
    heading = tag("h1", records.folder.resolve().name or str(records.folder))
    leads = [_lead({name: every[name] for name in one.names}) for one in problems(every)]
    return [tag("p", "mpi_pgd report", class_="kicker"), heading, *(tag("p", lead, class_="lead") for lead in leads if lead)]


def _lead(records: Mapping[str, Record]) -> str:
    """Of one problem what somebody in a hurry reads."""
    first = next((name for name in _FIRST if name in records and headline(name, records[name])), None)
    lead = [headline(first, records[first])] if first else []
    return " ".join(map(_sentence, lead + (remarks("run", records["run"]) if "run" in records else [])))


def _sentence(text: str) -> str:
    """With a capital and a full stop; no line ends between a number and its unit."""
    whole = text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")
    return re.sub(r"(?<=\d) (?=(?:[nµm]?s|min|h|[KMGT]?B(?:/s)?|%)(?!\w))", "\N{NO-BREAK SPACE}", whole)


def _navigation(titles: Mapping[str, str]) -> Markup:
    links = [tag("li", tag("a", title, href=f"#{name}")) for name, title in titles.items()]
    return tag("nav", tag("ul", *links), aria_label="Sections")


def _section(name: str, record: Record, records: Records, drawn: Sequence[Drawn], tables: Sequence[Table]) -> Markup:
    sentence, further = headline(name, record), remarks(name, record)
    return tag(
        "section",
        tag("h2", TITLES[name], _mark(sheets.mark(record))),
        tag("p", _sentence(sentence)) if sentence else "",
        _remarks(further),
        _list(facts(name, record, records)),
        fingerprints(record["rows"]) if name in ("compare", "scaling") else "",
        *map(_figure, drawn),
        *map(_table, tables),
        id=name,
    )


def _remarks(lines: Sequence[str]) -> Markup | str:
    if len(lines) < 2:
        return join(*(tag("p", _sentence(line)) for line in lines))
    return tag("ul", *(tag("li", _sentence(line)) for line in lines))


def _mark(word: str) -> Markup | str:
    return join(" ", tag("span", word, class_="mark")) if word else ""


def _list(pairs: Sequence[tuple[str, str | Markup]]) -> Markup | str:
    return tag("dl", *(join(tag("dt", key), tag("dd", value)) for key, value in pairs)) if pairs else ""


def _figure(drawn: Drawn) -> Markup:
    picture = drawn.picture
    heading = tag("h3", picture.title, _mark(picture.mark))
    return tag(
        "figure", heading, drawn.wide, drawn.narrow, tag("figcaption", _sentence(picture.caption)), id=f"figure-{picture.name}"
    )


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
    groups: list[tuple[list[str], list[tuple[str, str]]]] = []
    for name, record in every.items():
        pairs = machine(record)
        same = [names for names, other in groups if other == pairs]
        if same:
            same[0].append(name)
        elif pairs:
            groups.append(([name], pairs))
    commands = [(name, record["command"]) for name, record in every.items() if record.get("command")]
    return tag(
        "section",
        tag("h2", "How it was made"),
        *(join(tag("h3", f"Command: {name}"), tag("pre", command)) for name, command in commands),
        *(join(tag("h3", f"Machine and versions: {', '.join(names)}"), _list(pairs)) for names, pairs in groups),
        id="made",
    )
