"""Bad files: valid ones are flipped, cut and forged, and the program has to answer each in good order. `--help` says how to run it.

A case ends well if the program refuses the file in one sentence, or gives the answer of the undamaged file, or gives another
answer where nothing in the file could have told (a flipped byte of a number without a checksum). It fails if it hangs, shows a
traceback, or gives a wrong answer that a checksum would have caught. A crash of the interpreter, in the HDF5 library, that ends the
job at once is counted apart.
"""

import argparse
import json
import re
import shutil
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))  # for python tests/chaos/fuzz.py

from tests.chaos import forgeries, valid  # noqa: E402
from tests.chaos.damage import damaged  # noqa: E402
from tests.launch import Library, Result, launch, libraries  # noqa: E402
from tests.report import samples  # noqa: E402

RANKS = 2
SECONDS = 30.0  # for a case; then it hangs
# Set within the rank, so that a length that lies takes neither the machine's memory nor its time.
LIMITED = """
import resource, runpy, sys
resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
resource.setrlimit(resource.RLIMIT_CPU, (20, 25))
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
runpy.run_module("mpi_pgd", run_name="__main__", alter_sys=True)
"""
FIT = ("--rounds", 20, "--max-seconds", 15, "--quiet", "--out", "out")
BITS = (
    "data",
    "x",
    "y",
    "solver",
    "step",
    "momentum",
    "l2",
    "intercept",
    "standardize",
    "rounds",
    "tol",
    "sums",
    "folds",
)  # all that decides them

REFUSED, SAME, OTHER, SETTINGS, DIVERGED, CRASH = (
    "refused",
    "same answer",
    "other values, which no checksum guards",
    "other settings",
    "diverged",
    "crash that ended the job",
)
FAILED = "FAILED: "


@dataclass(frozen=True)
class Original:
    """Valid files in a folder, the command that reads them there, and its answer.

    Attributes:
        targets: the names of those that may be damaged.
        forge: lies in their place: of the folder, or of one file's content.
        guarded: a checksum covers every byte that means something.
        sha: fingerprint of the answer; none for commands that give no weights.
        config: settings of the run.
    """

    kind: str
    folder: Path
    words: tuple[Any, ...]
    targets: tuple[str, ...]
    forge: Callable[[bytes, Random], tuple[bytes, str]] | None
    guarded: bool = False
    sha: str = ""
    config: Any = None


class Ending(NamedTuple):
    """How a case ended: the kind of file, what was done to it, the outcome, and what the program said."""

    kind: str
    what: str
    outcome: str
    said: str

    @property
    def bad(self) -> bool:
        """Whether it is to be looked at."""
        return self.outcome.startswith(FAILED) or self.outcome == CRASH


class Base:
    """The originals, by kind, each with the answer that the program gives to it undamaged."""

    def __init__(self, folder: Path, library: Library, kinds: Iterable[str]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.library = folder, library
        self.script = folder / "limited.py"
        self.script.write_text(LIMITED)
        makers = {
            "hdf5": self._hdf5,
            "toml": self._toml,
            "checkpoint": self._checkpoint,
            "bundle": self._bundle,
            "plan": self._plan,
        }
        self.originals = {kind: list(makers[kind]()) for kind in kinds}

    def run(self, library: Library, folder: Path, words: Iterable[Any]) -> Result:
        """The program on files of a folder, within limits."""
        return launch(library, RANKS, *words, script=self.script, cwd=folder, timeout=SECONDS)

    @cache  # noqa: B019  (it lives as long as the program)
    def answer(self, solver: str, name: str = "contiguous") -> dict[str, Any]:
        """The record of a fit to the good rows. However they are stored, it has the same bits, or if they are sparse other ones."""
        folder = self._new(f"answer of {solver} {name}")
        valid.HDF5[name](folder)
        result = self.run(self.library, folder, ("data.h5", "--solver", solver, *FIT))
        assert result.returncode == 0, result
        return _record(folder)

    def _new(self, name: str) -> Path:
        path = self.folder / "originals" / name.replace(" ", "-")
        path.mkdir(parents=True)
        return path

    def _hdf5(self) -> Iterator[Original]:
        for name, build in valid.HDF5.items():
            folder = self._new(name)
            build(folder)
            targets = tuple(sorted(path.name for path in folder.glob("*.h5")))
            sha = self.answer("nesterov", *[valid.SPARSE] * name.startswith(valid.SPARSE))["weights_sha256"]
            words = ("data*.h5", "--solver", "nesterov", *FIT)
            yield Original(f"hdf5 {name}", folder, words, targets, None, name.endswith(valid.GUARDED), sha)

    def _toml(self) -> Iterator[Original]:
        folder = self._new("toml")
        valid.HDF5["contiguous"](folder)
        (folder / "settings.toml").write_text(valid.TOML)
        words = ("--config", "settings.toml")
        record = self.answer("nesterov")
        flags = ("--max-seconds", 5, "--out", "out")  # flags win
        yield Original(
            "toml", folder, (*words, *flags), ("settings.toml",), forgeries.toml, False, record["weights_sha256"], record["config"]
        )

    def _checkpoint(self) -> Iterator[Original]:
        for solver in ("nesterov", "gd", "momentum"):
            folder = self._new(f"checkpoint {solver}")
            valid.HDF5["contiguous"](folder)
            fit = ("data.h5", "--solver", solver, *FIT)
            made = self.run(self.library, folder, (*fit, "--rounds", 8, "--checkpoint", "run.ckpt"))
            assert made.returncode == 0, made
            shutil.rmtree(folder / "out")
            sha = self.answer(solver)["weights_sha256"]
            yield Original("checkpoint", folder, (*fit, "--resume", "run.ckpt"), ("run.ckpt",), forgeries.checkpoint, True, sha)

    def _bundle(self) -> Iterator[Original]:
        run = self._new("run")
        valid.HDF5["contiguous"](run)
        result = self.run(self.library, run, ("data.h5", *FIT, "--trace"))
        assert result.returncode == 0, result
        names = tuple(sorted(path.name for path in (run / "out").iterdir() if path.suffix != ".h5"))
        yield Original("run", run, ("report", "out"), tuple(f"out/{name}" for name in names), forgeries.record)
        for name, record in samples.everything(4).items():
            if name not in ("run", "history", "trace"):
                folder = samples.folder(self._new(name), **{name: record})
                yield Original("study", folder, ("report", "."), (f"{name}.json",), forgeries.record)

    def _plan(self) -> Iterator[Original]:
        folder = samples.folder(self._new("plan of network"), network=samples.network(4))
        words = ("plan", "--network", ".", "--rows", 10_000, "--features", 50, "--workers", "1..64", "--out", "out")
        yield Original("plan", folder, words, ("network.json",), forgeries.record)


KINDS = {"hdf5": 55, "toml": 15, "checkpoint": 20, "bundle": 8, "plan": 4}  # and their shares


def make(base: Base, seed: str, place: Path) -> tuple[Original, str]:
    """Case ``seed``: a copy of an original in ``place``, with something wrong in it; and what."""
    draw = Random(seed)
    kinds = list(base.originals)
    original = draw.choice(base.originals[draw.choices(kinds, [KINDS[kind] for kind in kinds])[0]])
    shutil.copytree(original.folder, place)
    target = place / draw.choice(original.targets)
    forged = draw.random() < (
        0.7 if original.guarded and original.forge else 0.45
    )  # each damaged byte of a checkpoint is seen alike
    if forged and original.kind.startswith("hdf5"):
        return original, f"forged, {forgeries.hdf5(place, draw)}"
    content = target.read_bytes()
    if forged and original.forge and target.suffix != ".csv":
        new, what = original.forge(content, draw)
        what = f"forged, {what}"
    else:
        new, what = damaged(content, draw)
    target.write_bytes(new)
    return original, f"{target.name}: {what}"


def judge(original: Original, forged: bool, place: Path, result: Result) -> str:
    """How a case ended."""
    ours = [line for line in result.stderr.splitlines() if line.startswith("mpi_pgd: ")]
    if result.returncode % 128 in (signal.SIGXCPU, signal.SIGKILL):
        return f"{FAILED}endless, ended by the limit"
    if "Fatal Python error" in result.stderr or result.returncode >= 128:
        return CRASH
    if "Traceback" in result.stderr:
        errors = [line for line in result.stderr.splitlines() if re.match(r"[\w.]+(Error|Exception|Warning|Interrupt)\b", line)]
        return f"{FAILED}traceback: {(errors or ['?'])[-1][:100]}"
    if result.returncode in (2, 4):
        said = ours if result.returncode == 2 else ours[-1:]  # warnings may stand before what is said of a fit that diverged
        alone = len(said) == 1 and ("mpich" not in result.command or result.stderr.splitlines() == ours)  # others add a banner
        good = alone and ours[0].isprintable()
        return {2: REFUSED, 4: DIVERGED}[result.returncode] if good else f"{FAILED}not one sentence"
    if result.returncode != 0:
        return f"{FAILED}exit code {result.returncode}"
    return _answered(original, forged, place, result)


def _answered(original: Original, forged: bool, place: Path, result: Result) -> str:
    others = [line for line in result.stderr.splitlines() if not line.startswith("mpi_pgd: ")]
    if others:
        return f"{FAILED}words on standard error: {others[-1][:100]}"
    if not original.sha:
        return OTHER
    record = _record(place)
    if record["weights_sha256"] == original.sha:
        return SAME
    if original.config and any(record["config"][name] != original.config[name] for name in BITS):
        return SETTINGS
    if forged or not (original.guarded or original.config):
        return OTHER
    return f"{FAILED}wrong answer under a checksum"


def _record(folder: Path) -> dict[str, Any]:
    record: dict[str, Any] = json.loads((folder / "out" / "run.json").read_text())
    return record


def case(base: Base, library: Library, seed: str) -> Ending:
    """Make and run a case; the files of those that are to be looked at are kept."""
    place = base.folder / "cases" / seed.replace("/", "-")
    original, what = make(base, seed, place)
    try:
        result = base.run(library, place, original.words)
        outcome = judge(original, "forged" in what, place, result)
        if outcome == OTHER and what == f"forged, {forgeries.assembled.__name__}":
            outcome = f"{FAILED}other rows"
        told, said = str(result), " ".join(line for line in result.stderr.splitlines() if line.startswith("mpi_pgd: "))
    except pytest.fail.Exception as hang:
        outcome, told, said = f"{FAILED}hang", str(hang), ""
    ending = Ending(original.kind, f"{original.kind}, {what}", outcome, said)
    if ending.bad:
        (place / "told.txt").write_text(f"{ending.what}: {outcome}\n{told}\n")
    else:
        shutil.rmtree(place)
    return ending


def fuzz(
    base: Base, choose: Callable[[int], Library], seed: int, numbers: Iterable[int], say: Callable[[str], None]
) -> Counter[tuple[str, str]]:
    """Run cases; the count of each kind's outcomes."""
    counts: Counter[tuple[str, str]] = Counter()
    for number in numbers:
        library = choose(number)
        ending = case(base, library, f"{seed}/{number}")
        counts[ending.kind, ending.outcome] += 1
        say(f"{'!! ' if ending.bad else ''}case {number} ({library.name}), {ending.what}: {ending.outcome}  {ending.said[:300]}")
    return counts


def main(words: list[str]) -> int:
    """Returns how many cases failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=500)
    parser.add_argument("--first", type=int, default=0, help="number of the first case; with --cases 1, that one alone again")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--keep", default="", help="folder for what failed (default: a new one)")
    given = parser.parse_args(words)
    folder = Path(given.keep or tempfile.mkdtemp(prefix="mpi_pgd-fuzz-")).resolve()
    there = libraries()
    quick = there.get("mpich") or next(iter(there.values()))
    base = Base(folder, quick, given.kinds.split(","))
    others = [library for library in there.values() if library != quick]

    def choose(number: int) -> Library:
        return others[number // 10 % len(others)] if others and number % 10 == 9 else quick  # MPICH starts fastest

    counts = fuzz(base, choose, given.seed, range(given.first, given.first + given.cases), lambda line: print(line, flush=True))
    kinds: Counter[tuple[str, str]] = Counter()
    for (kind, outcome), count in counts.items():
        kinds[kind.split(" ")[0], outcome] += count  # all layouts of HDF5 together
    for (kind, outcome), count in sorted(kinds.items()):
        print(f"{count:5}  {kind:12} {outcome}")
    failures = sum(count for (_, outcome), count in counts.items() if outcome.startswith(FAILED))
    crashes = sum(count for (_, outcome), count in counts.items() if outcome == CRASH)
    print(
        f"{counts.total()} cases, {failures} failed, {crashes} crashes that ended the job; the files of both are in {folder}/cases"
    )
    return failures


if __name__ == "__main__":
    sys.exit(min(main(sys.argv[1:]), 1))
