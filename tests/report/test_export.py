"""Tables as cells, CSV, Markdown and LaTeX, and the units in them."""

import csv
import io
import json
import shutil
import subprocess
from pathlib import Path

import pytest

from mpi_pgd.report import units
from mpi_pgd.report.export import MOST, Column, Table, cells, to_csv, to_latex, to_markdown
from mpi_pgd.report.records import read
from mpi_pgd.study import every
from mpi_pgd.study.rounds import predictions
from tests.report import samples

pytestmark = pytest.mark.beside("pages")

NASTY = "a|b & c_d <script> 100 % {x} \\ ~^#$\n`end`"
TABLE = Table(
    "t",
    "Who & what",
    (Column("who", "Who"), Column("time", "Time", "seconds"), Column("gain", "Gain", "error")),
    [{"who": NASTY, "time": 0.00152, "gain": -0.042}, {"who": "other", "time": None, "gain": 1.5}],
    "predicted",
)


def tables(folder: Path) -> dict[str, list[Table]]:
    records = read(str(folder), every())
    return {name: kind.tables(records.found[name]) for name, kind in records.kinds.items()}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0 s"),
        (2.5e-10, "0.250 ns"),
        (1e-6, "1.00 µs"),
        (1.54e-5, "15.4 µs"),
        (9.999e-4, "1.00 ms"),
        (0.00262, "2.62 ms"),
        (3.54, "3.54 s"),
        (119.0, "119 s"),
        (120.0, "2.00 min"),
        (8000.0, "2.22 h"),
        (None, "–"),
    ],
)
def test_seconds(value: float | None, text: str) -> None:
    assert units.seconds(value) == text


def test_other_units() -> None:
    assert [units.size(value) for value in (0, 8, 999, 1000, 2.4e6)] == ["0 B", "8 B", "999 B", "1.00 KB", "2.40 MB"]
    assert units.rate(1.25e10) == "12.5 GB/s"
    assert units.percent(0.0523) == "5.2 %"
    assert units.percent(-0.042, sign=True) == "\N{MINUS SIGN}4.2 %"
    assert units.digits(7.96e-12) == "7.96·10⁻¹²"


def test_ticks_are_few_and_inside() -> None:
    for low, high in ((1.0, 1.3), (1e-6, 3e-1), (8.0, 6.7e7), (0.9, 70.0)):
        places = units.ticks(low, high, 6)
        assert len(places) <= 6
        assert all(low <= place <= high for place in places)
    assert units.ticks(4.6, 9.3, 6) == [5, 6, 7, 8, 9]
    assert units.ticks(1, 64, 8, 2) == [1, 2, 4, 8, 16, 32, 64]
    assert [units.tick(value, units.TIME) for value in (5e-3, 100, 120, 1000)] == ["5 ms", "100 s", "2 min", "1,000 s"]


def test_a_column_has_one_unit_and_one_number_of_decimals() -> None:
    table = Table("t", "t", (Column("time", "Time", "seconds"),), [{"time": value} for value in (0.0201, 0.0026, None, 0.0)])
    assert cells(table) == ([("Time", "ms")], [["20.1"], ["2.6"], ["–"], ["0.0"]])


def test_values_far_apart_have_a_unit_each() -> None:
    table = Table("t", "t", (Column("time", "Time", "seconds"),), [{"time": value} for value in (2e-6, 3.0)])
    assert cells(table) == ([("Time", "")], [["2.00 µs"], ["3.00 s"]])


def test_parts_of_a_whole_share_a_unit_unless_they_vanish_in_it() -> None:
    columns = tuple(Column(key, key, "seconds", "round") for key in ("a", "b", "c"))
    heads, rows = cells(Table("t", "t", columns, [{"a": 0.02, "b": 0.0004, "c": 3e-9}]))
    assert heads == [("a", "ms"), ("b", "ms"), ("c", "ns")]
    assert rows == [["20.0", "0.400", "3.00"]]


def test_csv_keeps_the_raw_numbers() -> None:
    back = list(csv.DictReader(io.StringIO(to_csv(TABLE))))
    assert back[0] == {"who": NASTY, "time": "0.00152", "gain": "-0.042"}
    assert back[1]["time"] == ""


def test_csv_keeps_all_rows() -> None:
    table = Table("t", "t", (Column("a", "a", "count"),), [{"a": 1}, {"a": 2}], shown=[{"a": 2}])
    assert to_csv(table) == "a\n1\n2\n"
    assert cells(table)[1] == [["2"]]


def test_markdown_is_one_line_a_row_and_no_markup() -> None:
    title, _, head, rule, *rows = to_markdown(TABLE).splitlines()
    assert title == "Who &amp; what (predicted)"
    assert (head, rule) == ("| Who | Time, ms | Gain |", "| --- | ---: | ---: |")
    assert len(rows) == 2
    assert r"a\|b &amp; c\_d \<script\> 100 % {x} \\ ~^\#$ \`end\`" in rows[0]


def test_latex_escapes_what_is_special() -> None:
    text = to_latex(TABLE)
    assert r"a|b \& c\_d \textless{}script\textgreater{} 100 \% \{x\} \textbackslash{} \textasciitilde{}" in text
    assert r"\begin{tabular}{lrr}" in text
    assert "$-$4.2" in text


@pytest.mark.skipif(not shutil.which("pdflatex"), reason="no pdflatex here")
def test_latex_is_latex(tmp_path: Path) -> None:
    found = tables(samples.folder(tmp_path / "run", **samples.everything()))
    body = "".join(to_latex(table) for some in found.values() for table in some if len(table.visible()) < 40) + to_latex(TABLE)
    (tmp_path / "all.tex").write_text("\\documentclass{article}\\begin{document}" + body + "\\end{document}")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "all.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout[-2000:]


@pytest.mark.parametrize("ranks", [1, 2, 8, 64])
def test_the_tables_of_all_records(tmp_path: Path, ranks: int) -> None:
    found = tables(samples.folder(tmp_path, **samples.everything(ranks)))
    assert len({table.name for some in found.values() for table in some}) == sum(map(len, found.values()))
    for table in (table for some in found.values() for table in some):
        heads, rows = cells(table)
        assert all(len(row) == len(heads) == len(table.columns) for row in rows)
        assert len(list(csv.reader(io.StringIO(to_csv(table))))) == len(table.rows) + 1


def test_errors_are_relative_to_what_was_measured() -> None:
    rows = [{"seconds_per_round": 2.0, "predicted_seconds_per_round": guess} for guess in (2.2, None, 1.0)]
    assert [row["error"] for row in predictions(rows)] == pytest.approx([0.1, -0.5])


def test_of_many_ranks_those_that_were_waited_for_most_are_shown(tmp_path: Path) -> None:
    table = tables(samples.folder(tmp_path, run=samples.run(64)))["run"][0]
    shown = [row["rank"] for row in table.visible()]
    assert len(shown) == MOST
    assert {1, 63} <= set(shown)
    assert "32 of 64 ranks" in table.title
    assert len(table.rows) == 64


def test_samples_are_json_without_nan() -> None:
    for record in samples.everything().values():
        json.dumps(record, allow_nan=False)
