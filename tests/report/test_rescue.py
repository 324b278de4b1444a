"""Coefficients that can't go where they were to."""

import json
import tempfile
from pathlib import Path

import pytest

from mpi_pgd.report import rescue

FOUND = {"coef": [1.5, -2.0], "intercept": 0.25}


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A working directory that was removed."""
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()


def test_they_are_in_the_temporary_folder_where_the_working_one_is_gone(
    nowhere: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    sentence = rescue.write(FOUND)
    (path,) = tmp_path.iterdir()
    assert sentence == f"they are in {path}"
    assert json.loads(path.read_text()) == FOUND


def test_where_nothing_can_be_written_the_sentence_says_why(nowhere: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))
    assert rescue.write(FOUND) == ("they are lost (No such file or directory): give --checkpoint, and the next time they are not")
