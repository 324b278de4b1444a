"""A folder's run and studies as one HTML file that needs nothing else, with its pictures and tables as files beside it."""

import contextlib
import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from mpi_pgd.errors import InputError
from mpi_pgd.report import theme
from mpi_pgd.report.export import WRITERS, Table
from mpi_pgd.report.kinds import Kind
from mpi_pgd.report.page import TITLE, page
from mpi_pgd.report.progress import steps
from mpi_pgd.report.records import Records, read
from mpi_pgd.report.theme import Drawn, Picture
from mpi_pgd.system import conflicts, output
from mpi_pgd.system.claims import Claim

HEAD_BYTES = 4096  # in which a page's title lies
MANIFEST = ".report.json"  # the sums of the pictures and tables
Planned = Mapping[str, Sequence[Picture]]
Tables = Mapping[str, Sequence[Table]]


def write(folder: str, studies: Mapping[str, Kind], out: str | None = None, force: bool = False, shown: bool = False) -> list[Path]:
    """Make the report of a run and studies; returns the files written, the HTML file first: all of them, or none.

    Those of an earlier report that this one has not go.

    Args:
        folder: with run.json, history.csv and trace.json, or study files, or both.
        studies: all that there are, by name.
        out: the HTML file; ``folder``/report.html if None. Pictures and tables go to ``folder``/pictures and /tables.
        force: files that no report has written, or that were changed since, may be overwritten.
        shown: whether to say how far it is.

    Raises:
        InputError: no such folder; nothing in it; a file that is damaged or of another version; no matplotlib; the
            report can't be written, or would overwrite what is not its own.
    """
    records = read(folder, studies)
    theme.need()
    target = Path(out) if out is not None else records.folder / "report.html"
    if target.is_dir():
        raise InputError(f"--out {target} is a folder: give the name of the HTML file")
    with Claim(f"report {folder}", records.folder, [MANIFEST], ".report.lock"), ExitStack() as stack:
        with _refusing(target):
            for place in (target.parent, records.folder / "tables", records.folder / "pictures"):
                stack.enter_context(output.made(place))
        planned = {name: kind.pictures(records.found[name]) for name, kind in records.kinds.items()}
        tables = {name: kind.tables(records.found[name]) for name, kind in records.kinds.items()}
        _spare(records.folder, target, planned, tables, force)  # before the pictures are drawn, which may take minutes
        contents = _contents(records, target, planned, tables, shown)
        _replace(records.folder, target, contents)
        output.unmake([records.folder / "pictures"])  # of a record that has none
        return list(contents)


def _contents(records: Records, target: Path, planned: Planned, tables: Tables, shown: bool) -> dict[Path, bytes]:
    drawn: dict[str, list[Drawn]] = {name: [] for name in planned}
    for name, plan in steps("picture", [(name, plan) for name, some in planned.items() for plan in some], shown):
        drawn[name].append(theme.drawn(plan))
    contents = {target: page(records, drawn, tables).encode()}
    for picture in (item for some in drawn.values() for item in some):
        path = records.folder / "pictures" / picture.picture.name
        contents |= {path.with_suffix(".png"): picture.png, path.with_suffix(".svg"): picture.svg}
    for table in (item for some in tables.values() for item in some):
        path = records.folder / "tables" / table.name
        contents |= {path.with_suffix(f".{kind}"): make(table).encode() for kind, make in WRITERS.items()}
    return contents


@contextlib.contextmanager
def _refusing(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        where = f" at {error.filename}" if error.filename and ".part" not in str(error.filename) else ""
        raise InputError(
            f"the report {target} can't be written ({error.strerror}{where}): make room, or give another --out"
        ) from None


def _spare(folder: Path, target: Path, planned: Planned, tables: Tables, force: bool) -> None:
    """Refuse to write over what is not of an earlier report: pictures and tables are known by their sums."""
    drawn = [folder / "pictures" / f"{plan.name}.{kind}" for some in planned.values() for plan in some for kind in ("png", "svg")]
    listed = [folder / "tables" / f"{table.name}.{kind}" for some in tables.values() for table in some for kind in WRITERS]
    before = output.says(folder / MANIFEST)

    def judge(path: Path) -> str:
        if path == target:
            return "" if TITLE.encode() in path.read_bytes()[:HEAD_BYTES] else "is no report"
        return "" if before.get(_named(path)) == _sum(path.read_bytes()) else "no report has written, or was changed since"

    with _refusing(target):
        paths = [target, *drawn, *listed]
        conflicts.protect([(path, f"report {folder}") for path in paths], folder.glob("*.json"))
        conflicts.spare(f"report {folder}", dict.fromkeys(paths, judge), force)


def _replace(folder: Path, target: Path, contents: dict[Path, bytes]) -> None:
    """Write all; those of an earlier report that have no successor go."""
    before = output.says(folder / MANIFEST)
    with _refusing(target):
        old = [folder / kind / name for kind, name in map(os.path.split, before) if kind in ("pictures", "tables")]
        gone = [path for path in old if path not in contents and path.is_file() and before[_named(path)] == _sum(path.read_bytes())]
        for place in {path.parent for path in contents}:
            output.tidy(place, [path.name for path in contents])
        manifest = {_named(path): _sum(content) for path, content in contents.items() if path != target}
        last = {path: output.raw(content) for path, content in reversed(contents.items())}  # the page last
        output.replace({**dict.fromkeys(gone), folder / MANIFEST: output.document(manifest), **last})


def _named(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"


def _sum(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
