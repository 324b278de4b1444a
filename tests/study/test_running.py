"""How a study ends: its code, on every rank, and what is printed and written by the first."""

from types import SimpleNamespace
from typing import Any

import pytest

from mpi_pgd.study import record
from mpi_pgd.study.running import finish

pytestmark = pytest.mark.ranks(1, 3, others=())
STUDY: Any = SimpleNamespace(text=lambda made: f"{len(made['rows'])} rows")


@pytest.mark.parametrize(
    ("made", "code", "told"),
    [
        ({"rows": [1, 2], "stopped": ""}, 0, "2 rows\n"),
        ({"rows": [1, 2]}, 0, "2 rows\n"),
        ({"rows": [1], "stopped": "stopped by a signal after 1 of 2 turns"}, 75, "1 rows\n"),
        (None, 75, ""),  # a signal came before there was anything
    ],
)
@pytest.mark.parametrize("quiet", [False, True])
def test_codes_and_words(
    comm: Any, made: Any, code: int, told: str, quiet: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, written = comm.rank == 0, []
    claim: Any = "claim" if first else None
    monkeypatch.setattr(record, "write", lambda claim, made: written.append((claim, made)))
    assert finish(STUDY, comm, made if first else None, claim, quiet) == code
    assert capsys.readouterr().out == ("" if quiet or not first else told)
    assert written == ([("claim", made)] if made and first else [])
