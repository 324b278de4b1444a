"""What holds for every study, those here and one that is made up: known by its table, read back, shown, run."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from mpi_pgd import InputError
from mpi_pgd.cli.study import read
from mpi_pgd.report import html, records
from mpi_pgd.report.export import Column, Table
from mpi_pgd.report.shapes import Record, check
from mpi_pgd.study import STUDIES, Command, every, load
from mpi_pgd.study.study import Flag, Study
from tests.report import samples


class Echo(Study):
    """A study as somebody may write it."""

    title, usage, description = "Echo", "mpirun -n N python -m mpi_pgd echo", "Say a word on every rank."
    shape = {"rows": [{"rank": "whole", "word": "text"}]}  # noqa: RUF012
    flags = (Flag("word", "ho", "WORD", "to be said"),)

    def measure(self, problem: Any, given: Mapping[str, Any], flags: Any) -> dict[str, Any] | None:
        rows = problem.comm.gather({"rank": problem.comm.rank, "word": given["word"]})
        return rows and {"rows": rows, "notes": ["nothing was measured"]}

    def sentence(self, record: Record) -> str:
        return f"{len(record['rows'])} said {record['rows'][0]['word']}."

    def tables(self, record: Record) -> list[Table]:
        return [Table(self.name, "Who said what", (Column("rank", "Rank", "count"), Column("word", "Word")), record["rows"])]


@pytest.fixture
def echo(monkeypatch: pytest.MonkeyPatch) -> Iterator[Study]:
    """The file and the line of a new study."""
    module = ModuleType("mpi_pgd.study.echo")
    module.Echo = Echo  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setitem(STUDIES, "echo", Command("a word on every rank"))
    yield load("echo")
    load.cache_clear()


@pytest.mark.parametrize("name", STUDIES)
def test_a_study_says_what_it_is(name: str) -> None:
    study, record = load(name), samples.everything()[name]
    assert study.name == name
    check(Path(), record, study.shape)
    assert study.headline(record).strip()
    assert study.tables(record)
    assert study.headline(record) in study.text(record)
    formulas = Path(html.__file__).with_name("formulas.html").read_text()
    assert all(f'id="formula-{one}"' in formulas for one in study.formulas)
    names = [one.name for one in (*study.tables(record), *study.pictures(record))]
    assert all(one == name or one.startswith(f"{name}-") for one in names)


@pytest.mark.parametrize("name", STUDIES)
def test_a_record_without_its_rows_is_damaged(name: str, tmp_path: Path) -> None:
    folder = samples.folder(tmp_path, **{name: {**samples.everything()[name], "rows": None}})
    with pytest.raises(InputError, match="rows is not a list"):
        records.read(str(folder), every())


def test_the_tables_of_studies_need_neither_mpi_nor_matplotlib() -> None:
    program = """
import sys
from mpi_pgd.report import html, records
from mpi_pgd.study import every
every()
print({"mpi4py", "matplotlib"} & set(sys.modules) or "neither")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("neither\n", "")


def test_a_new_study_is_read_and_reported(echo: Study, tmp_path: Path) -> None:
    assert read(["echo", "--word", "hi", "--rounds", "3"]).items() >= {"study": "echo", "word": "hi"}.items()
    record = samples.study("echo", [{"rank": 0, "word": "hi"}])
    page = html.write(str(samples.folder(tmp_path, echo=record)), every())[0].read_text()
    assert "1 said hi." in page
    assert (tmp_path / "tables/echo.csv").read_text() == "rank,word\n0,hi\n"


@pytest.mark.ranks(1, 3, others=())
def test_a_new_study_runs(comm: Any, folder: Path, echo: Study, capsys: pytest.CaptureFixture[str]) -> None:
    given = read(["echo", "--out", str(folder / "out")])
    assert echo.run(comm, given, 0.0) == 0
    text = capsys.readouterr().out
    if comm.rank:
        return
    record = json.loads((folder / "out" / "echo.json").read_text())
    assert record["rows"] == [{"rank": rank, "word": "ho"} for rank in range(comm.size)]
    assert {"study", "format", "machine", "command", "versions", "files"} <= set(record)
    assert text == echo.text(record) + "\n"
    assert records.read(str(folder / "out"), every()).found["echo"] == record
