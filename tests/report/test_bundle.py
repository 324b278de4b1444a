"""The run bundle: what fails leaves an earlier one as it was."""

import resource
from pathlib import Path

import numpy as np
import pytest

from mpi_pgd import InputError
from mpi_pgd.report import bundle


def written(folder: Path, rounds: int) -> None:
    history = {"round": list(range(rounds)), "objective": [0.5] * rounds}
    record = {"status": "converged", "rounds": rounds, "config": {}}
    with bundle.claim(str(folder)) as claim:
        bundle.write(claim, bundle.Bundle(record, history, np.full(3, float(rounds)), 0.0, ()))


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_no_room_for_one_file_leaves_all_three_as_they_were(tmp_path: Path) -> None:
    written(tmp_path, 10)
    before = contents(tmp_path)
    assert sorted(before) == ["history.csv", "model.h5", "run.json"]
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, hard))  # the model fits, the history does not
    try:
        with pytest.raises(InputError, match=r"could not be written .*File too large"):
            written(tmp_path, 100_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert contents(tmp_path) == before
    written(tmp_path, 20)
    assert contents(tmp_path) != before
