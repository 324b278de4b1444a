"""Mistakes that the tests have to find: `make mutants` makes each in a copy of the package, and runs the tests named beside it.

Survivors are told, and then the exit code is 1. A mutant whose old text is not found exactly once has to be written anew.
`python -m tests.mutants WORD ...` runs those whose file, text or tests have all of the words.
"""

import itertools
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tests.launch import ROOT

SECONDS = 300  # of one run of pytest: a mutant that hangs is found, too
TIMES = itertools.count(1)  # of files, in seconds
TABLE = ("tables/test_convert.py",)
LETTER = ("mpi/test_closed_forms.py",)
FOUND, PASSED = 1, 0  # exit codes of pytest


Run = tuple[tuple[str, ...], str]


class Mutant(NamedTuple):
    """``old`` in mpi_pgd/``file`` becomes ``new``; ``tests``, in tests/, have to fail. ``only`` is pytest's -k."""

    file: str
    old: str
    new: str
    tests: tuple[str, ...]
    only: str = ""

    @property
    def run(self) -> Run:
        return self.tests, self.only

    @property
    def clear(self) -> bool:
        return (ROOT / "mpi_pgd" / self.file).read_text().count(self.old) == 1


MUTANTS = [
    # The numbers
    Mutant(
        "losses/squared.py",
        "np.multiply(value, 0.5, value)",
        "np.multiply(value, 5.0, value)",
        ("kernel/test_dense.py",),
        "one_pass",
    ),
    Mutant("losses/squared.py", "1.0 - value / null", "1.0 - 3 * value / null", LETTER, "letter"),
    Mutant("drivers/objective.py", "self.aims.floor + penalty", "self.aims.floor + 10 * penalty", LETTER, "minimum"),
    Mutant("drivers/objective.py", "lasting(self.penalty.curvature)", "lasting(0.0 * self.penalty.curvature)", LETTER, "minimum"),
    Mutant("drivers/objective.py", 'return sums["value"].item() / weight', 'return sums["value"].item()', LETTER, "minimum"),
    Mutant(
        "drivers/objective.py",
        "given = self._mean, self._scale,",
        "given = self._mean, 1.0 / np.array(self._scale),",
        LETTER,
        "letter",
    ),
    Mutant("drivers/objective.py", "self._mean, centres, point)", "0.0 * np.array(self._mean), centres, point)", LETTER, "letter"),
    Mutant("drivers/fit.py", "query.point[: len(self.best.point)] = self.best.point", "pass", LETTER, "diverged"),
    Mutant("drivers/best.py", ">= IDLE and self.smallest <= self.figures.rounding", ">= IDLE", ("drivers/test_fit.py",)),
    Mutant("drivers/moments.py", "self.weight - shift * shift, 0.0", "self.weight, 0.0", ("drivers/test_moments.py",)),
    Mutant("solvers/steps.py", "return 1.0 / self.lipschitz", "return 0.2 / self.lipschitz", LETTER, "inverse"),
    Mutant("solvers/steps.py", "found = max(found, (half + root) / apart)", "pass", ("solvers/test_steps.py",)),
    Mutant("solvers/momentum.py", "0.0 if steps.grown else self.momentum", "self.momentum * 0.9", LETTER, "letter"),
    Mutant("solvers/nesterov.py", "kernel.dot(gradient, moved) > 0", "False", LETTER, "letter"),
    # Losses, penalties, solvers
    Mutant("losses/logistic.py", "np.multiply(y, -2.0, side)", "np.multiply(y, -1.0, side)", ("losses/test_losses.py",)),
    Mutant("solvers/coordinate.py", "slopes += hessian[place] * (new - old)", "pass", ("solvers/test_coordinate.py",)),
    Mutant("solvers/coordinate.py", "self._along(by, bends, crossed)", "pass", ("solvers/test_coordinate.py",)),
    Mutant("engine/hessian.py", "h *= block.weights", "pass", ("engine/test_hessian.py",)),
    Mutant("engine/columns.py", "h *= block.weights", "pass", ("engine/test_hessian.py",)),
    # The law
    Mutant("engine/partial.py", "np.ldexp(1.5, exponent + self._bits)", "np.ldexp(1.5, exponent - 20)", ("engine/test_sums.py",)),
    Mutant("engine/sums.py", "(again == Again.NOT and", "(True and", ("engine/test_sums.py",)),
    Mutant("engine/cut.py", "high = x if fresh else high.reshape(-1, RUN)", "high = x", ("engine/test_sums.py",)),
    Mutant(
        "engine/partial.py",
        "self._bound, self._near, self._sizes",
        "np.inf * self._bound, self._near, self._sizes",
        ("engine/test_sums.py",),
    ),
    Mutant(
        "data/partition.py",
        "return -(-self.rows // self.block_rows)",
        "return self.rows // self.block_rows",
        ("data/test_partition.py",),
    ),
    Mutant(
        "data/partition.py",
        "for number in (worker, worker + 1))",
        "for number in (worker, worker))",
        ("data/test_partition.py",),
    ),
    Mutant("comm/schedules.py", "step < ranks - 1)", "step < ranks)", ("comm/test_schedules.py",)),
    Mutant(
        "comm/collectives.py",
        "partial(np.add, target, incoming, target)",
        "partial(np.maximum, target, incoming, target)",
        ("mpi/test_comm.py",),
        "sums",
    ),
    Mutant("comm/collectives.py", "op=MPI.MAX", "op=MPI.SUM", ("mpi/test_comm.py",), "maximum"),
    Mutant("comm/kernels.py", "if mine != theirs:", "if False:", ("mpi/test_comm.py",), "named"),
    Mutant("modes/ledger.py", "and group in self.missing", "", ("modes/test_replicated.py",), "first_of_each"),
    # Tables
    Mutant("tables/spool.py", "in column.words] + [-1], np.int32)", "in column.words] + [0], np.int32)", TABLE, "parsed"),
    Mutant("tables/spool.py", "known.setdefault(word, len(known))", "len(known)", TABLE, "parsed"),
    Mutant("tables/arrow.py", "dtype(missing))[array.offset :]", "dtype(0))[array.offset :]", TABLE, "gaps"),
    Mutant("tables/survey.py", "math.fsum(self.sums) / self.count", "math.fsum(self.sums) / (self.count + 1)", TABLE, "gaps"),
    Mutant("tables/survey.py", "if drop else batch", "if not drop else batch", TABLE, "gaps"),
    Mutant("tables/feature.py", "x[codes == -1, place:end] = np.nan", "pass", ("tables/test_recipe.py",)),
    Mutant("tables/feature.py", "columns = codes - int(self.reference)", "columns = codes", ("tables/test_recipe.py",)),
    Mutant("tables/convert.py", "if done < self.rows:", "if not done:", TABLE, "blank"),
    Mutant("tables/records.py", "before + row + 1, None", "before + row, None", ("tables/test_bad.py",), "value"),
    Mutant("tables/csv.py", "if tally.quotes % 2:", "if False:", ("tables/test_bad.py",), "quotation"),
    # Mistakes, and what is lost
    Mutant(
        "comm/world.py",
        "comm.Allreduce(MPI.IN_PLACE, first, MPI.MIN)",
        "comm.Allreduce(MPI.IN_PLACE, first, MPI.MAX)",
        ("mpi/test_world.py",),
        "lowest",
    ),
    Mutant("data/notes.py", "if not np.isfinite(peaks).all():", "if False:", ("test_errors.py",), "one_sentence and inf"),
    Mutant(
        "recovery/checkpoint.py",
        'if hashlib.file_digest(stream, "sha256").hexdigest().encode() + b"\\n" != digest:',
        "if False:",
        ("recovery/test_checkpoint.py",),
        "flipped",
    ),
    Mutant("errors.py", "(1 if len(word) < 6 else 2)", "0", ("test_words.py",), "means"),
    Mutant("system/scheduler.py", "return min(MARGIN, SHARE * left)", "return 0.0", ("system/test_scheduler.py",), "margin"),
    # What is told of it
    Mutant(
        "observers/costs.py",
        "wait = np.clip(_computed(stamps, skips).max(axis=0) - compute - read,",
        "wait = np.clip(0.0 * compute,",
        ("observers/test_costs.py",),
    ),
    Mutant("observers/costs.py", "SLOW = 1.35", "SLOW = 13.5", ("observers/test_costs.py",)),
    Mutant("observers/alignment.py", "passed * rates / (1.0 + rates)", "0.0 * passed", ("observers/test_alignment.py",), "line"),
    Mutant(
        "study/scaling/measure.py",
        "return one if (each.ranks, each.rows) == (one.ranks, one.rows) else each",
        "return each",
        ("study/test_races.py",),
        "test_scaling and mpich",
    ),
    Mutant(
        "study/scaling/limits.py",
        'most["compute"] * most["ranks"] / alone',
        'most["compute"] / alone',
        ("study/scaling/test_limits.py",),
    ),
    Mutant("comm/paths.py", "before = (False, False)", "before = (True, False)", ("comm/test_paths.py",)),
    Mutant("report/markup.py", "html.escape(text)", "text", ("report/test_markup.py",)),
    # Recovery and studies, without a run
    Mutant("comm/ulfm.py", "if not agree(comm):", "if False:", ("comm/test_ulfm.py",)),
    Mutant("observers/balance.py", "np.median(", "np.mean(", ("observers/test_balance.py",)),
    Mutant("observers/balance.py", "if changed and not trouble", "if changed", ("observers/test_balance.py",)),
    Mutant("recovery/attempts.py", "[team.ids[rank] for rank in left]", "list(left)", ("recovery/test_attempts.py",)),
    Mutant("recovery/attempts.py", "        revoke(team.comm)\n", "", ("recovery/test_attempts.py",)),
    Mutant("recovery/deadline.py", " - scheduler.margin(self._left)", "", ("recovery/test_deadline.py",)),
    Mutant("recovery/saver.py", "if self._next and not self._running", "if self._next", ("recovery/test_saver.py",)),
    Mutant("study/running.py", '"" if made.get("stopped") else "done"', '"done"', ("study/test_running.py",)),
    Mutant("study/turns.py", "ordered[last // 2]", "ordered[-(-last // 2)]", ("study/test_turns.py",)),
    Mutant("study/worth.py", "/ (1 - 1 / workers) if", "/ 1 if", ("study/test_worth.py",)),
    Mutant("study/worth.py", 'first["low"] / one["high"]', 'first["low"] / one["low"]', ("study/test_worth.py",)),
    Mutant("study/compare/verdict.py", ") / 2:", "):", ("study/compare/test_verdict.py",)),
    Mutant("report/pop.py", "(not serving or", "(serving or", ("report/test_pop.py",)),
    Mutant("study/baselines.py", "right[features] += y.sum(axis=-1)", "pass", ("study/test_baselines.py",)),
    Mutant("study/doctor/facts.py", "* 1e9 / 8", "* 1e9", ("study/doctor/test_facts.py",)),
]


def main(words: Sequence[str]) -> int:
    chosen = [mutant for mutant in MUTANTS if all(word in repr(mutant) for word in words)]
    if unclear := [mutant for mutant in chosen if not mutant.clear]:
        print("\n".join(f"{mutant.file} does not have this once: {mutant.old}" for mutant in unclear))
        return 2
    with tempfile.TemporaryDirectory(prefix="mpi_pgd-mutants-") as scratch:
        copy = Path(scratch, "copy")
        shutil.copytree(ROOT, copy, symlinks=True, ignore=shutil.ignore_patterns(".*", "build", "dist", "__pycache__"))
        sound = {run: tested(copy, run) == PASSED for run in dict.fromkeys(mutant.run for mutant in chosen)}
        survived = [mutant for mutant in chosen if not (sound[mutant.run] and found(copy, mutant))]
    for run in (run for run in sound if not sound[run]):
        print(f"these tests fail without any mutant: {run}")
    print(f"{len(chosen) - len(survived)} of {len(chosen)} mutants were found")
    return 1 if survived else 0


def found(copy: Path, mutant: Mutant) -> bool:
    path = copy / "mpi_pgd" / mutant.file
    text, start = path.read_text(), time.monotonic()
    write(path, text.replace(mutant.old, mutant.new))
    code = tested(copy, mutant.run)
    write(path, text)
    verdict = "found" if code == FOUND else f"SURVIVED, pytest's code is {code},"
    print(f"{verdict} after {time.monotonic() - start:.0f} s: {mutant.file}: {mutant.old} -> {mutant.new}", flush=True)
    return code == FOUND


def write(path: Path, text: str) -> None:
    """With a time of its own: bytecode of another text of the same second and length would be taken for it."""
    path.write_text(text)
    os.utime(path, (now := next(TIMES), now))


def tested(copy: Path, run: Run) -> int:
    """pytest's exit code; that of a test that failed if it hung."""
    tests, only = run
    words = ["-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "-k", only, *(f"tests/{test}" for test in tests)]
    environment = {**os.environ, "PYTHONPATH": str(copy)}
    try:
        done = subprocess.run([sys.executable, *words], cwd=copy, env=environment, capture_output=True, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        return FOUND
    return done.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
