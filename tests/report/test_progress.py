"""What the live line says of the time that is left."""

import math
from time import perf_counter

import pytest

from mpi_pgd.report.progress import Progress, rounds_to


@pytest.mark.parametrize(
    ("aim", "begin", "now", "rounds"),
    [
        (1e-6, (0, 1.0), (300, 1e-3), 300),
        (1e-6, (100, 1e-2), (200, 1e-4), 100),
        (1e-6, (0, 1.0), (5, 1e-7), 0),
        (0.0, (0, 1.0), (300, 1e-3), math.inf),
        (1e-6, (0, 1.0), (300, 1.0), math.inf),
        (1e-6, (0, 1.0), (300, 2.0), math.inf),
        (1e-6, (0, 1.0), (300, math.nan), math.inf),
        (1e-6, (0, math.inf), (300, 1.0), math.inf),
    ],
)
def test_rounds_to(aim: float, begin: tuple[int, float], now: tuple[int, float], rounds: float) -> None:
    assert rounds_to(aim, begin, now) == pytest.approx(rounds)


@pytest.mark.parametrize(
    ("limit", "tol", "until", "said"),
    [
        (10**12, 1e-3, math.inf, "60 min of the job left: enough\n"),  # as far again as it got
        (10**12, 0.0, math.inf, "60 min of the job left: too few at this rate\n"),
        (20, 0.0, math.inf, "60 min of the job left: enough\n"),
        (10**12, 0.0, 100, "60 min of the job left: enough\n"),  # --max-seconds ends it sooner
    ],
)
def test_whether_the_job_will_do(
    limit: int, tol: float, until: float, said: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mpi_pgd.report.progress.LOGGED", 0.0)
    now = perf_counter()
    progress = Progress(limit, tol, now + until, now + 3600 * 1.001, 0.0)
    progress.begun = progress.last = now - 10
    progress(0, 1.0, 1.0)
    progress.last = now - 10
    progress(10, 0.5, 0.5)
    assert capsys.readouterr().err.splitlines(keepends=True)[-1].endswith(said)


def test_without_a_limit_of_the_job(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mpi_pgd.report.progress.LOGGED", 0.0)
    progress = Progress(100, 0.0, math.inf, math.inf, 0.0)
    progress(0, 1.0, 1.0)
    progress(10, 1.0, 1.0)
    assert capsys.readouterr().err.rstrip().endswith("left")
