"""What the parts of the chaos suite share: data of every kind, the runs on them, and the account of how these ended."""

import json
import tempfile
import textwrap
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from random import Random
from typing import Any

import h5py
import numpy as np
import pytest

from mpi_pgd.data.make import make
from mpi_pgd.modes import ALGORITHMS
from tests.launch import Library, Result, Running, launch, libraries

ULFM = ("--with-ft", "ulfm")
LIMIT = 60.0  # seconds for a job; then it hangs
MODES = tuple(ALGORITHMS)
ROWS, FEATURES, SHARDS = 40_000, 20, 3
ROUNDS = 600
TRY_AGAIN = 75


class Failed(Exception):
    """A case did not end as it should; says how."""


@dataclass
class Tally:
    """How the cases of a part ended. A line a case, as they go; what failed is also written to a file, with all that it said."""

    part: str
    folder: Path
    seed: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    failures: int = 0
    notes: list[str] = field(default_factory=list)

    def case(self, name: str, do: Callable[[], tuple[str, str]]) -> None:
        """``do`` gives how it ended, in words to be counted, and more to be shown."""
        try:
            ended, more = do()
        except (Exception, pytest.fail.Exception) as failure:  # a bug in a case fails that case
            self.failures += 1
            where = self.folder / f"{self.part}-{sum(self.counts.values())}.txt"
            self.folder.mkdir(exist_ok=True)
            where.write_text(f"{name}\n{failure}\n{traceback.format_exc()}")
            ended, more = "FAILED", f"{textwrap.shorten(str(failure), 160)} (more in {where})"
        self.counts[ended] += 1
        print(f"{self.part} {sum(self.counts.values()):3}  {name}: {ended}{f' ({more})' if more else ''}", flush=True)

    def lines(self) -> list[str]:
        """The account of the part."""
        total = sum(self.counts.values())
        head = [f"{self.part}: {total} cases, {self.failures} failed"]
        counts = [f"  {count:4}  {ended}" for ended, count in sorted(self.counts.items())]
        return head + counts + [f"        {note}" for note in self.notes]


class Ground:
    """A folder with data of every kind, and the fingerprints of undisturbed runs on them.

    ``rounds`` is how long the runs are.
    """

    def __init__(self, folder: Path, rounds: int = ROUNDS) -> None:
        self.folder, self.rounds = folder, rounds
        self._undisturbed: dict[str, str] = {}

    @cached_property
    def sources(self) -> dict[str, tuple[str, ...]]:
        """Files by kind. All but float32 hold the same numbers."""
        folder = self.folder
        make(folder / "contiguous.h5", ROWS, FEATURES, condition=1e4)
        with h5py.File(folder / "contiguous.h5") as file:
            x, y = file["X"][...], file["y"][...]
        for kind, options in {
            "chunked": {"chunks": (1000, FEATURES)},
            "gzip": {"chunks": (700, FEATURES), "compression": "gzip", "compression_opts": 1},
            "lzf": {"chunks": (1024, 10), "compression": "lzf"},
            "float32": {"dtype": "f4"},
            "big-endian": {"dtype": ">f8"},
        }.items():
            _write(folder / f"{kind}.h5", x, y[:, None], **options)
        cuts = [0, 1000, 2 * ROWS // 3, ROWS]
        shards = [folder / f"shard{number}.h5" for number in range(SHARDS)]
        for shard, start, stop in zip(shards, cuts, cuts[1:], strict=False):
            _write(shard, x[start:stop], y[start:stop])
        with h5py.File(folder / "virtual.h5", "w") as file:
            for name, values in (("X", x), ("y", y)):
                layout = h5py.VirtualLayout(values.shape, values.dtype)
                for shard, start, stop in zip(shards, cuts, cuts[1:], strict=False):
                    layout[start:stop] = h5py.VirtualSource(shard.name, name, (stop - start, *values.shape[1:]))
                file.create_virtual_dataset(name, layout)
        names = ("contiguous", "chunked", "gzip", "lzf", "float32", "big-endian", "virtual")
        return {name: (str(folder / f"{name}.h5"),) for name in names} | {"shards": tuple(map(str, shards))}

    def undisturbed(self, kind: str) -> str:
        """The fingerprint of a run to which nothing happens; found once."""
        if kind not in self._undisturbed:
            with tempfile.TemporaryDirectory(dir=self.folder) as out:
                launch(next(iter(libraries().values())), 1, *self.words(kind, Path(out)), timeout=LIMIT)
                self._undisturbed[kind] = record(Path(out))["weights_sha256"]
            expected = self._undisturbed.setdefault("contiguous", self._undisturbed[kind]) if kind != "float32" else ""
            if expected and expected != self._undisturbed[kind]:
                raise Failed(f"the source {kind} gives another fingerprint than the contiguous one, undisturbed")
        return self._undisturbed[kind]

    def words(self, kind: str, out: Path, *more: object) -> list[object]:
        """The command's."""
        return [*self.sources[kind], "--rounds", self.rounds, "--tol", 0, "--quiet", "--out", out, *more]

    def check(self, kind: str, out: Path, result: Result) -> dict[str, Any]:
        """The run's record, after a good end and with the fingerprint of the undisturbed run."""
        if result.returncode != 0:
            raise Failed(f"ended with {result.returncode}: {result}")
        if not (out / "run.json").exists():
            raise Failed(f"ended with 0, without a result: {result}")
        found = record(out)
        if found["weights_sha256"] != self.undisturbed(kind):
            raise Failed(f"another fingerprint ({found['weights_sha256'][:8]}): {result}")
        return found


def record(out: Path) -> dict[str, Any]:
    """What run.json holds."""
    found: dict[str, Any] = json.loads((out / "run.json").read_text())
    return found


def random_layout(random: Random) -> tuple[object, ...]:
    """Words for a mode and one of its algorithms."""
    mode = random.choice(MODES)
    return "--mode", mode, "--algorithm", random.choice(ALGORITHMS[mode])


def started(job: Running, ranks: int) -> list[int]:
    """The ranks' processes, once all have started MPI; none if the job ends before."""
    found: list[int] = []

    def all_there() -> bool:
        found[:] = job.ranks()
        return len(found) == ranks

    return found if job.until(all_there, look=0.03) else []


def one_sentence(result: Result, code: int, *words: str) -> str:
    """All that the program says on stderr, maybe again at the end, with these words in it; the launchers' own lines don't count."""
    said = list(dict.fromkeys(sentences(result)))
    if result.returncode != code or len(said) != 1 or "Traceback" in result.stderr:
        raise Failed(f"expected exit code {code} and one sentence: {result}")
    if not all(word in said[0] for word in words):
        raise Failed(f"expected a sentence with {', '.join(words)}: {result}")
    return textwrap.shorten(said[0], 140)


def sentences(result: Result) -> list[str]:
    """What the program said on stderr."""
    return [line for line in result.stderr.splitlines() if line.startswith("mpi_pgd: ")]


def available(names: Sequence[str] = ("mpich", "openmpi")) -> list[Library]:
    """The libraries that are there."""
    return [libraries()[name] for name in names if name in libraries()]


def _write(path: Path, x: Any, y: Any, dtype: str = "f8", **options: Any) -> None:
    with h5py.File(path, "w") as file:
        file.create_dataset("X", data=x.astype(np.dtype(dtype)), **options)
        file["y"] = y.astype(np.dtype(dtype))
