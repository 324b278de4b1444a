"""What speed.py found, as a table, a picture and the README's words."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
KEPT, PAGE = Path(__file__).with_name("speed.json"), Path(__file__).with_name("speed.md")
PICTURE, README = ROOT / "docs" / "pictures" / "speed.png", ROOT / "README.md"
MOST = 16.0  # times: what the picture has room for
BUSY = 0.2  # cores that others may keep busy, before figures are doubted
PUBLISHED = (  # 2.1e12 nonzeros in 70 minutes; 4.2e9 rows of 39 in 91.5 s
    "from published figures, with other data and machines: Vowpal Wabbit 0.5 a node (Agarwal et al. 2014, 1,000 nodes), "
    "Snap ML 110 a GPU (Dünner et al. 2018, 16 V100)"
)
TITLES = {
    "dense": "Dense float64 rows, 1,000,000 x 200",
    "storage": "Smaller rows, and order-free sums, 1,000,000 x 200",
    "sparse": "Sparse rows, 1,000,000 x 100,000, 30 nonzeros each",
    "wide": "Sparse rows, 200,000 x 1,000,000, 30 nonzeros each",
    "poisson": "A whole fit of one-hot columns",
    "gram": "X'X",
    "long": "Long vectors",
    "loading": "Loading, 200,000 x 200 float64",
    "arrays": "Arrays from Python, 1,000,000 x 50 float64",
    "small": "A small problem",
    "startup": "Start-up",
}
HEAD = "| | measured | quartiles | to be reached | |\n|---|---:|---:|---|---|"
FASTER = {  # what the README says, by the case that it comes from
    "numpy": "squared, 2 ranks, as fast as mpi4py and numpy by hand",
    "torch": "squared, 2 ranks, as fast as PyTorch DDP (gloo)",
    "floor": "squared, 2 ranks, against the floor",
}
BESIDE = ("floor", "products", "products and MPI", "MPI")  # a profile's parts, what was measured in the same run

Row = dict[str, Any]


def table(found: dict[str, Any]) -> str:
    """A table of each line, and where it was measured."""
    return "\n\n".join(_line(TITLES[name], line) for name, line in found.items()) + "\n"


def _line(title: str, line: dict[str, Any]) -> str:
    rows = [_row(row) for row in line["rows"] if "case" in row]
    profiles = [_profile(row) for row in line["rows"] if "profile" in row]
    return "\n".join([f"**{title}**", "", HEAD, *rows, "", *profiles, _where(line)])


def _row(row: Row) -> str:
    if row["value"] is None:
        return f"| {row['case']} | | | | {row['why']} |"
    goal = f"{row['word']} {row['goal']:g}{_met(row)}" if row["goal"] is not None else ""
    quartiles = f"{_number(row['low'])} to {_number(row['high'])}" if "low" in row else ""
    value = f"{_number(row['value'])} {row['unit'] * (row['unit'] != 'times')}".strip()
    return f"| {row['case']} | {value} | {quartiles} | {goal} | {row['beside']} |"


def _met(row: Row) -> str:
    return "" if reached(row) else ": missed"


def reached(row: Row) -> bool:
    """Whether the goal is met."""
    return bool(row["value"] <= row["goal"] if row["word"] == "at most" else row["value"] >= row["goal"])


def better(row: Row) -> float:
    """How many times better than its goal; at most MOST, and at least 1 / MOST."""
    above, below = (row["value"], row["goal"]) if row["word"] == "at least" else (row["goal"], row["value"])
    return float(np.clip(above / below if below > 0 else MOST, 1 / MOST, MOST))


def _number(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 20 else f"{value:.2f}"


def _profile(row: Row) -> str:
    """Where the time of a round goes, by the program's own clock; what it is held against was measured in the same run."""
    parts = row["profile"]
    told = ", ".join(f"{name} {_milliseconds(seconds)}" for name, seconds in parts.items() if name != "input")
    beside = ", ".join(f"{name} {_milliseconds(row[name])}" for name in BESIDE if name in row)
    return f"A round by its parts: {told}; in the same run: {beside}.\n"


def _milliseconds(seconds: float) -> str:
    return f"{1e3 * seconds:.3f} ms"


def _where(line: dict[str, Any]) -> str:
    others = line["others"]
    words = f"{line['date']}, {line['processor']}, {line['cores']} cores, kernel {line['kernel']}, BLAS {line['blas']}"
    if "others" not in others:
        return f"*{words}; load {others['load']:.1f} before; what else the machine did is not known*"
    state = f"others kept {others['others']:.1f} cores busy" + ": not to be trusted" * doubtful(line)
    stolen = f", {others['stolen']:.0%} of the processors were given to other machines" * (others["stolen"] > 0.01)
    return f"*{words}; load {others['load']:.1f} before; {state}{stolen}*"


def doubtful(line: dict[str, Any]) -> bool:
    """Whether the machine was busy with other things, or may have been."""
    return bool(line["others"].get("others", np.inf) > BUSY)


def write(found: dict[str, Any]) -> None:
    """Put lines into the page, the picture and, those that are to be trusted, the README; what was not measured now stays."""
    kept = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    lines = {name: (kept | found)[name] for name in TITLES if name in kept | found}
    KEPT.write_text(json.dumps(lines, indent=1) + "\n")
    PAGE.write_text(table(lines))
    draw([row for line in lines.values() for row in line["rows"] if row.get("goal") is not None], PICTURE)
    README.write_text(told(README.read_text(), {name: line for name, line in lines.items() if not doubtful(line)}))


def told(text: str, lines: dict[str, Any]) -> str:
    """The README with these figures between its marks, ``<!-- speed: NAME -->``."""
    rows = {row["case"]: row for line in lines.values() for row in line["rows"] if row.get("value") is not None and "case" in row}
    for name, case in FASTER.items():
        if case in rows:
            text = re.sub(rf"(<!-- speed: {name} -->).*?(<!-- -->)", rf"\g<1>{rows[case]['value']:.1f}\g<2>", text)
    return text


def draw(rows: list[Row], path: Path) -> None:
    """Each figure beside its goal: how many times better than that, or worse."""
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot as plt

    whole, axes = plt.subplots(figsize=(10, 0.8 + 0.27 * len(rows)), layout="constrained")
    for place, row in enumerate(reversed(rows)):
        colour = "#0a5cad" if reached(row) else "#c8322b"
        axes.plot([1, better(row)], [place, place], color=colour, linewidth=2)
        axes.plot(better(row), place, "o", color=colour)
    axes.axvline(1, color="gray", linewidth=1)
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}" if value >= 1 else f"1/{1 / value:g}")
    axes.set_yticks(range(len(rows)), [row["case"] for row in reversed(rows)], fontsize=8)
    axes.set(xlabel="times better than what is to be reached (right of 1: met)", ylim=(-0.6, len(rows) - 0.4))
    axes.spines[["top", "right"]].set_visible(False)
    whole.savefig(path, dpi=110)
