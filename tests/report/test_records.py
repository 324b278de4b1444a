"""Reading a folder: what is there is found, what can't be used is refused in one sentence."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from mpi_pgd import InputError
from mpi_pgd.report import records
from mpi_pgd.report.run import Run
from mpi_pgd.study import every
from tests.report import samples


def refused(folder: Path) -> str:
    with pytest.raises(InputError) as caught:
        records.read(str(folder), every())
    text = str(caught.value)
    assert "\n" not in text
    return text


def test_everything_that_lies_in_a_folder_is_found(tmp_path: Path) -> None:
    found = records.read(str(samples.folder(tmp_path, **samples.everything())), every())
    run = found.kinds["run"]
    assert isinstance(run, Run)
    studies = [
        "compare",
        "scaling",
        "straggler",
        "solvers",
        "topology",
        "cache",
        "network",
        "plan",
        "diagram",
        "evaluate",
        "doctor",
    ]
    assert list(found.found) == ["run", *studies]
    assert run.trace == 120
    assert run.history["round"][-1] == 489


def test_one_study_is_enough(tmp_path: Path) -> None:
    found = records.read(str(samples.folder(tmp_path, doctor=samples.doctor())), every())
    assert list(found.found) == list(found.kinds) == ["doctor"]


def test_no_such_folder(tmp_path: Path) -> None:
    assert "No such file or directory" in refused(tmp_path / "nowhere")


def test_a_file_in_place_of_its_folder(tmp_path: Path) -> None:
    folder = samples.folder(tmp_path, doctor=samples.doctor())
    assert "give the folder that it lies in" in refused(folder / "doctor.json")


def test_an_empty_folder_and_a_history_without_a_run(tmp_path: Path) -> None:
    assert "holds no run and no study" in refused(tmp_path)
    assert "holds no run and no study" in refused(samples.folder(tmp_path, history=samples.history()))


@pytest.mark.parametrize("text", ["", "{", "[1, 2]", '{"format": NaN}', "\x00", '"x"', "[" * 100_000])
@pytest.mark.parametrize("name", ["run", "network"])
def test_a_file_that_is_no_json_object(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / f"{name}.json").write_text(text)
    assert f"{name}.json is damaged" in refused(tmp_path)


def test_bytes_that_are_no_utf8(tmp_path: Path) -> None:
    (tmp_path / "plan.json").write_bytes(b"\xff\xfe{}")
    assert "plan.json is damaged" in refused(tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read any file")
def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    (samples.folder(tmp_path, plan=samples.plan()) / "plan.json").chmod(0)
    assert "plan.json can't be read (Permission denied)" in refused(tmp_path)


def test_a_folder_in_place_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "plan.json").mkdir()
    assert "plan.json can't be read (Is a directory)" in refused(tmp_path)


@pytest.mark.parametrize(("version", "found"), [(2, '"format" 2'), (None, '"format" null'), ("1", '"format" "1"')])
def test_a_study_of_another_version(tmp_path: Path, version: Any, found: str) -> None:
    samples.folder(tmp_path, plan=samples.plan() | {"format": version})
    assert f"another version of mpi_pgd ({found}, expected 1)" in refused(tmp_path)


def test_a_study_without_a_version(tmp_path: Path) -> None:
    samples.folder(tmp_path, plan={key: value for key, value in samples.plan().items() if key != "format"})
    assert 'another version of mpi_pgd (no "format", expected 1)' in refused(tmp_path)


def test_a_run_of_another_version(tmp_path: Path) -> None:
    samples.folder(tmp_path, run={key: value for key, value in samples.run().items() if key != "costs"})
    assert 'another version of mpi_pgd (no "costs" in it)' in refused(tmp_path)


def test_a_renamed_study(tmp_path: Path) -> None:
    samples.folder(tmp_path, network=samples.plan())
    assert 'holds another study ("plan")' in refused(tmp_path)


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (("rows",), [], "holds no rows"),
        (("rows",), {}, "rows is not a list"),
        (("rows", 1), 7, "rows[1] is not an object"),
        (("rows", 2, "wait"), "long", "rows[2].wait is not a number"),
        (("rows", 2, "wait"), None, "rows[2].wait is not a number"),
        (("rows", 2, "wait"), True, "rows[2].wait is not a number"),
        (("rows", 0, "ranks"), 1.5, "rows[0].ranks is not a whole number"),
        (("rows", 0, "mode"), 3, "rows[0].mode is not a text"),
        (("verdict",), ["we", "won"], "verdict is not a text"),
        (("machine", "hosts"), "node1", "machine.hosts is not an object"),
    ],
)
def test_a_study_with_something_else_in_it(tmp_path: Path, path: tuple[Any, ...], value: Any, said: str) -> None:
    record: Any = samples.compare()
    inner = record
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    samples.folder(tmp_path, compare=record)
    assert said in refused(tmp_path)


def test_a_number_too_large_for_a_double(tmp_path: Path) -> None:
    text = json.dumps(samples.plan()).replace('"seconds_per_round": ', '"seconds_per_round": 1e999, "was": ', 1)
    (tmp_path / "plan.json").write_text(text)
    assert "rows[0].seconds_per_round is not a number" in refused(tmp_path)


def test_bins_and_counts_that_do_not_fit(tmp_path: Path) -> None:
    run = samples.run()
    run["costs"]["slowdowns"]["edges"].append(9.0)
    assert "one edge more than counts" in refused(samples.folder(tmp_path, run=run))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "not a table of numbers"),
        ("round,objective,gradient_norm\n1,2", "not a table of numbers"),
        ("round,objective,gradient_norm\n1,2,three", "not a table of numbers"),
        ("round,objective\n1,2", "no column gradient_norm"),
    ],
)
def test_a_damaged_history(tmp_path: Path, text: str, said: str) -> None:
    samples.folder(tmp_path, run=samples.run())
    (tmp_path / "history.csv").write_text(text)
    assert said in refused(tmp_path)


def test_a_damaged_trace(tmp_path: Path) -> None:
    samples.folder(tmp_path, run=samples.run(), trace={"traceEvents": 3})
    assert "trace.json is damaged, traceEvents is not a list" in refused(tmp_path)


def fitted(folder: Path, run: dict[str, Any], coef: Any, intercept: float, names: tuple[bytes, ...] = ()) -> Path:
    """A model.h5 beside the record of its run."""
    folder.mkdir(exist_ok=True)
    with h5py.File(folder / "model.h5", "w") as file:
        file["coef"], file["intercept"] = np.asarray(coef, float), intercept
        if names:
            file["feature_names"] = list(names)
    sha = hashlib.sha256(np.append(coef, intercept).astype("<f8").tobytes()).hexdigest()
    return samples.folder(folder, run={**run, "weights_sha256": sha})


def test_the_model_is_read(tmp_path: Path) -> None:
    run = records.read(str(fitted(tmp_path, samples.run(2), [1.0, -3.0], 2.0, (b"a", b"b"))), every()).kinds["run"]
    model = run.model if isinstance(run, Run) else None
    assert model is not None
    assert (list(model.coef), model.intercept, model.largest()) == ([1.0, -3.0], [2.0], [1, 0])
    assert [model.name(place) for place in (0, 1)] == ["a", "b"]


def test_the_model_of_another_run_is_refused(tmp_path: Path) -> None:
    fitted(tmp_path, samples.run(2), [1.0], 2.0)
    samples.folder(tmp_path, run=samples.run(2))
    with pytest.raises(InputError, match=r"model.h5 holds other weights than run.json tells of"):
        records.read(str(tmp_path), every())
    (tmp_path / "model.h5").write_bytes(b"no HDF5")
    with pytest.raises(InputError, match=r"model.h5 is not an HDF5 file"):
        records.read(str(tmp_path), every())
