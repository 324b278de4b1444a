"""The pictures of README and docs: real runs and their reports, and the figures of benchmarks/lecture.md drawn.

    python docs/pictures.py [NAME ...]         # needs mpirun beside this Python, and matplotlib

NAME is a key of RUNS, or lecture; without one, all. Ranks share this machine's cores: the pictures show how a run looks, not how
fast it can be. Those of the lecture show what was measured on a cluster of shaped hosts.
"""

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
PICTURES = HERE / "pictures"
LECTURE = HERE.parent / "benchmarks" / "lecture.md"
MADE = (
    ("rows.h5", "--rows", "400000", "--features", "50", "--condition", "100"),
    ("classes.h5", "--rows", "100000", "--features", "50", "--condition", "1000", "--loss", "logistic"),
)
# Of each: the ranks, the words, and the report's pictures.
RUNS = {
    "run": (4, ("rows.h5", "--solver", "nesterov", "--rounds", "200", "--delay", "2:3"), ("timeline", "ranks")),
    "gd": (4, ("--solver", "gd"), ("convergence",)),
    "straggler": (4, ("study", "straggler", "--mean", "0.05", "--rounds", "200"), ("straggler",)),
    "solvers": (2, ("study", "solvers", "classes.h5", "--loss", "logistic", "--l2", "1e-4"), ("solvers-seconds",)),
    "compare": (2, ("compare", "rows.h5", "--rounds", "30"), ("compare-cost",)),
}
LINES = {
    "client-server linear": ("linear server", "o-", "#b07800"),
    "client-server library": ("library, server", "s--", "#8a5a00"),
    "peer-to-peer ring": ("ring", "^-", "#4a5a3a"),
    "peer-to-peer rabenseifner": ("Rabenseifner", "v--", "#1f6f8b"),
}


def main(names: list[str]) -> None:
    if not names or "lecture" in names:
        lecture()
    if names == ["lecture"]:
        return
    python = (sys.executable, "-m", "mpi_pgd")
    with tempfile.TemporaryDirectory() as folder:

        def run(*words: str) -> None:
            subprocess.run(words, cwd=folder, check=True)

        for made in MADE:
            run(*python, "data", "make", *made, "--quiet")
        for name in [name for name in RUNS if not names or name in names]:
            ranks, words, pictures = RUNS[name]
            run(str(Path(sys.executable).parent / "mpirun"), "-n", str(ranks), *python, *words, "--out", name, "--quiet")
            run(*python, "report", name, "--quiet")
            for picture in pictures:
                shutil.copy(Path(folder, name, "pictures", f"{picture}.png"), PICTURES)


def lecture() -> None:
    """What messages cost, and the speedup ratio, over the number of hosts."""
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot as plt

    text = LECTURE.read_text()
    whole, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
    for name, (label, style, colour) in LINES.items():
        hosts, seconds = (2, 4, 8), [float(cell.split("/")[0].replace(",", "")) for cell in next(_rows(text, "**1 MB**", name))]
        left.plot(hosts, seconds, style, color=colour, label=label)
        found = list(_rows(text, "**Emulated map**", name))
        assert found, name
        right.plot([int(cells[0]) for cells in found], [float(cells[6]) for cells in found], style, color=colour, label=label)
    right.plot([1, 8], [1, 8], ":", color="gray", label="ideal, m")
    left.set(xlabel="hosts", ylabel="ms", title="1 MB, summed and sent out again", xticks=(2, 4, 8), ylim=0)
    right.set(xlabel="hosts", ylabel="T1 / Tm", title="speedup ratio, a map of 1 s", xticks=(1, 2, 4, 8), ylim=0)
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False, fontsize=8)
    whole.savefig(PICTURES / "lecture.png", dpi=110)


def _rows(text: str, title: str, name: str) -> Iterator[list[str]]:
    """The cells behind a name in the table that follows a title."""
    table = re.search(r"(?:^\|.*\n)+", text[text.index(title) :], re.MULTILINE)
    assert table, title
    for line in table[0].splitlines():
        first, *cells = (cell.strip() for cell in line.strip("|").split("|"))
        if first == name:
            yield cells


if __name__ == "__main__":
    main(sys.argv[1:])
