"""One curve out of several jobs' scaling: joined from real records, and refused where they do not belong together."""

import json
from pathlib import Path
from typing import Any

import pytest

from mpi_pgd import InputError
from mpi_pgd.cli import report
from mpi_pgd.study.scaling.merge import merge
from tests.launch import launch, libraries
from tests.report import samples

pytestmark = pytest.mark.beside("numbers")

MADE = {"data": {"rows": 1_000_000, "features": 200}, "rounds": 100, "repeats": 3, "sums": "order-free", "largest": 8}


def job(folder: Path, name: str, most: list[int], hosts: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A sample job's record, which is then in folder/name."""
    record = samples.scaling(most) | MADE
    record["machine"]["hosts"] = hosts
    record |= changes
    samples.folder(folder / name, scaling=record)
    return record


def pair(folder: Path, **changes: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Jobs of one node and of two; the second with changes."""
    small = job(folder, "nodes-1", [1, 2, 4], {"n1": 4})
    return small, job(folder, "nodes-2", [1, 4, 8], {"n2": 4, "n3": 4}, **changes)


def read(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "scaling.json").read_text()))


def refused(folder: Path) -> str:
    with pytest.raises(InputError) as caught:
        merge(str(folder))
    assert not (folder / "scaling.json").exists()
    return str(caught.value)


@pytest.mark.beside("programs")
def test_real_jobs_become_one_report(tmp_path: Path) -> None:
    if not libraries():
        pytest.skip("no MPI library here")
    library = next(iter(libraries().values()))
    words = ("scaling", "--repeats", 1, "--rounds", 3, "--largest", 3, "--out")
    jobs = []
    for ranks in (1, 3):
        result = launch(library, ranks, *words, tmp_path / f"ranks-{ranks}")
        assert result.returncode == 0, result
        jobs.append(read(tmp_path / f"ranks-{ranks}"))
    assert report.main([str(tmp_path)]) == 0
    record = read(tmp_path)
    assert [row["ranks"] for row in record["rows"]] == [1, 2, 3] * 6
    for row in record["rows"]:
        assert row in (jobs[0] if row["ranks"] == 1 else jobs[1])["rows"]
    assert len({row["weights_sha256"] for row in record["rows"] if row["scaling"] == "strong"}) == 1
    assert record["baselines"] == jobs[0]["baselines"]
    assert record["command"] == "\n".join(one["command"] for one in jobs)
    page = (tmp_path / "report.html").read_text()
    assert "oined from 2 jobs, ranks-1 (1 rank), ranks-3 (3 ranks): each speedup is over one rank in its own job" in page
    assert report.main([str(tmp_path)]) == 0  # again: what was joined is not taken for a study of the folder's own
    assert read(tmp_path) == record


def test_what_is_taken_from_which_job(tmp_path: Path) -> None:
    small, large = pair(tmp_path, repeats=2)
    large["rows"][1]["speedup"] = 9.0  # of 4 ranks, which the small job has, too
    samples.folder(tmp_path / "nodes-2", scaling=large)
    assert merge(str(tmp_path)) == tmp_path / "scaling.json"
    record = read(tmp_path)
    assert [(row["scaling"], row["mode"], row["ranks"]) for row in record["rows"]] == [
        (kind, mode, ranks) for kind in ("strong", "weak") for mode in ("client-server", "peer-to-peer") for ranks in (1, 2, 4, 8)
    ]
    assert 9.0 not in [row["speedup"] for row in record["rows"]]
    assert record["best"]["ranks"] == 8
    assert record["findings"][0].startswith("the best number of ranks for this problem is 8")
    assert record["baselines"] == small["baselines"]
    assert record["machine"]["hosts"] == {"n1": 4, "n2": 4, "n3": 4}
    assert record["repeats"] == 2


def test_the_number_of_ranks_orders_the_jobs_not_their_names(tmp_path: Path) -> None:
    for nodes in (2, 16, 1):
        job(tmp_path, f"nodes-{nodes}", [1], {f"n{node}": 1 for node in range(nodes)})
    merge(str(tmp_path))
    assert [one["folder"] for one in read(tmp_path)["jobs"]] == ["nodes-1", "nodes-2", "nodes-16"]


def test_weak_rows_of_unequal_shares_are_left_out_and_it_is_said(tmp_path: Path) -> None:
    pair(tmp_path, largest=16)
    merge(str(tmp_path))
    record = read(tmp_path)
    assert {row["scaling"] for row in record["rows"]} == {"strong"}
    assert any("give all of them the same --largest" in note for note in record["notes"])


def test_other_processors_are_told(tmp_path: Path) -> None:
    pair(tmp_path, machine=samples.MACHINE | {"processor": "another"})
    merge(str(tmp_path))
    assert any("the jobs differ in processor (what nodes-1 has is shown)" in note for note in read(tmp_path)["notes"])


def other_weights() -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = samples.scaling([1, 4, 8])["rows"]
    return [row | {"weights_sha256": "0123456789"} for row in rows]


def test_plain_sums_need_not_agree(tmp_path: Path) -> None:
    job(tmp_path, "a", [1], {"n1": 1}, sums="plain")
    job(tmp_path, "b", [1, 4, 8], {"n1": 8}, sums="plain", rows=other_weights())
    assert merge(str(tmp_path))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"data": {"rows": 999, "features": 200}}, "nodes-1 and nodes-2 can't become one curve: rows, 1000000 there and 999 here"),
        ({"data": {"rows": 1_000_000, "features": 7}}, "features, 200 there and 7 here"),
        ({"rounds": 5}, "rounds, 100 there and 5 here"),
        ({"sums": "plain"}, "sums, order-free there and plain here"),
        ({"rows": other_weights()}, "1,000,000 rows gave the weights ed5b44e8 there and 01234567 here"),
        ({"rows": [row for row in other_weights() if row["scaling"] == "weak"]}, "holds no rows of strong scaling"),
        ({"rows": [row | {"speedup": None} for row in other_weights()]}, "rows[0].speedup is not a number above 0"),
        ({"machine": {"hosts": {"n1": "many"}, "cores": 4}}, "machine.hosts.n1 is not a whole number"),
        ({"largest": "all"}, "largest is not a whole number"),
        ({"format": 2}, "another version"),
    ],
)
def test_jobs_that_do_not_belong_together(tmp_path: Path, changes: dict[str, Any], told: str) -> None:
    pair(tmp_path, **changes)
    assert told in refused(tmp_path)


@pytest.mark.parametrize("name", ["run", "scaling"])
def test_a_folder_with_a_study_of_its_own_is_left_as_it_is(tmp_path: Path, name: str) -> None:
    pair(tmp_path, rounds=5)
    samples.folder(tmp_path, **{name: samples.everything()[name]})
    before = (tmp_path / f"{name}.json").read_text()
    assert merge(str(tmp_path)) is None
    assert (tmp_path / f"{name}.json").read_text() == before


def test_nothing_to_join(tmp_path: Path) -> None:
    assert merge(str(tmp_path)) is None
    assert merge(str(tmp_path / "nowhere")) is None
