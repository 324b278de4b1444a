"""One run at a time writes to a place, whatever became of those that did before."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from multiprocessing import get_context
from pathlib import Path
from threading import Timer
from typing import Any

import pytest

from mpi_pgd import InputError
from mpi_pgd.system import claims
from mpi_pgd.system.claims import Claim

pytestmark = pytest.mark.beside("commands")

LOCK = ".mpi_pgd.lock"


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "SETTLING", 0.05)
    monkeypatch.setattr(claims, "GRACE", 0.3)
    monkeypatch.setattr(claims, "PAUSE", 0.01)


def claimed(folder: Path, **more: Any) -> Claim:
    return Claim("--out DIR", folder, ["a"], LOCK, **more)


def left(folder: Path, **changes: Any) -> dict[str, Any]:
    """What another run has left there, with its token."""
    record = {**claims._self(), "token": "another's", **changes}
    (folder / LOCK).write_text(json.dumps(record))
    return record


def holder(folder: Path) -> Any:
    return json.loads((folder / LOCK).read_text())["token"]


def test_a_place_is_one_run_s(tmp_path: Path) -> None:
    with claimed(tmp_path):
        with pytest.raises(InputError, match=rf"--out DIR is being written by process {os.getpid()} on .*: wait"):
            claimed(tmp_path)
        assert [path.name for path in tmp_path.iterdir()] == [LOCK]
    with claimed(tmp_path):
        pass
    assert list(tmp_path.iterdir()) == []


def test_folders_made_for_nothing_go(tmp_path: Path) -> None:
    with claimed(tmp_path / "a" / "b"):
        assert (tmp_path / "a" / "b" / LOCK).exists()
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").write_text("")
    for bad in (tmp_path / "file" / "b", tmp_path / "c" / ("x" * 300), tmp_path / "nul\0"):
        with pytest.raises(InputError, match="can't be written"):
            claimed(bad)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_what_was_written_stays_with_its_folder(tmp_path: Path) -> None:
    with claimed(tmp_path / "a") as claim:
        claim.replace({"a": lambda path: None})
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["a"]


@pytest.fixture
def ended() -> Iterator[int]:
    """The number of a process that was there, and is no more, but for its name."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        yield process.pid


GONE = {
    "killed": {"started": "1"},  # its number is another's now
    "an earlier run of the job, on another node": {"host": "other", "job": "7", "restarts": 0},
}
HERE = {"SLURM_JOB_ID": "7", "SLURM_RESTART_COUNT": "1"}


@pytest.mark.parametrize("what", GONE)
def test_the_place_of_a_run_that_is_gone_is_taken_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    monkeypatch.setattr(claims, "GRACE", 60)
    for name, value in HERE.items():
        monkeypatch.setenv(name, value)
    left(tmp_path, **GONE[what])
    with claimed(tmp_path) as claim:
        assert holder(tmp_path) == claim.record["token"]
    assert list(tmp_path.iterdir()) == []


def test_ranks_of_the_same_job_are_waited_for_longer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "GRACE", 60)
    for name, value in HERE.items():
        monkeypatch.setenv(name, value)
    held = claimed(tmp_path)
    Timer(10 * claims.SETTLING, held.release).start()
    with claimed(tmp_path) as claim:
        assert holder(tmp_path) == claim.record["token"] != held.record["token"]


def test_a_process_of_which_only_the_name_is_left(tmp_path: Path, ended: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "GRACE", 60)
    left(tmp_path, pid=ended, started="123")
    with claimed(tmp_path):
        pass


def test_a_lost_rank_of_this_run_held_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "GRACE", 60)
    monkeypatch.setenv("PMIX_NAMESPACE", "prterun-a-1@1")
    left(tmp_path, host="other")
    (tmp_path / ".a.0123456789abcdef.part").write_text("another rank writes")
    with claimed(tmp_path, again=True):
        assert (tmp_path / ".a.0123456789abcdef.part").exists()


@pytest.mark.parametrize("content", [None, "", "[]", "no run's", '{"pid": "x"}'])
def test_where_nobody_can_know_a_heartbeat_decides(tmp_path: Path, content: str | None, caplog: pytest.LogCaptureFixture) -> None:
    if content is None:
        left(tmp_path, host="other", job="8")
    else:
        (tmp_path / LOCK).write_text(content)
    with claimed(tmp_path):
        assert "waits 0 s for a heartbeat" in caplog.text
    assert list(tmp_path.iterdir()) == []


def test_a_run_on_another_node_with_a_heartbeat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "GRACE", 60)
    left(tmp_path, host="other", job="8", pid=5)

    def beats(lock: Path, last: list[int] = [0]) -> int:  # noqa: B006
        last[0] += 1
        return last[0]

    monkeypatch.setattr(claims, "_beaten", beats)
    with pytest.raises(InputError, match="process 5 on other of job 8: wait"):
        claimed(tmp_path)
    assert holder(tmp_path) == "another's"


def test_a_claim_gives_signs_of_life_and_notices_when_it_was_taken_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "BEAT", 0.01)
    with claimed(tmp_path) as claim:
        os.utime(tmp_path / LOCK, (1, 1))
        assert claims._beaten(tmp_path / LOCK) == 10**9
        claim._ended.wait(0.2)
        assert claims._beaten(tmp_path / LOCK) > 10**9
        claim.check()
        left(tmp_path, host="other", pid=5)
        with pytest.raises(InputError, match="was taken over by process 5 on other"):
            claim.replace({"a": lambda path: None})
    assert [path.name for path in tmp_path.iterdir()] == [LOCK]
    assert holder(tmp_path) == "another's"


def test_a_file_system_without_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", none)
    with claimed(tmp_path) as claim:
        with pytest.raises(InputError, match="is being written"):
            claimed(tmp_path)
        claim.replace({"a": lambda path: None})
        claim.replace({"a": lambda path: None})
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def _contend(folder: str, turns: int) -> int:
    """How often this process had it alone; a negative number if once not alone."""
    claims.SETTLING, claims.PAUSE = 0.0, 0.001
    had = 0
    for _ in range(turns):
        try:
            with claimed(Path(folder)):
                alone = Path(folder, "alone")
                try:
                    os.close(os.open(alone, os.O_CREAT | os.O_EXCL))
                except FileExistsError:
                    return -1
                alone.unlink()
                had += 1
                if had % 3 == 0:  # as if it had been killed
                    left(Path(folder), started="1")
        except InputError:
            pass
    return had


def test_several_at_once_are_never_two(tmp_path: Path) -> None:
    with get_context("fork").Pool(4) as pool:
        had = pool.starmap(_contend, [(str(tmp_path), 150)] * 4)
        pool.close()  # who is killed while it has the lock of the tasks leaves the others waiting for it
        pool.join()
    assert min(had) >= 0
    assert sum(had) > 10
