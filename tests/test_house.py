"""The house: a family's names stand in one file each, and what everyone reads of a family needs no MPI."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import mpi_pgd
from mpi_pgd.modes import MEMBERS, WAYS
from mpi_pgd.study import STUDIES

PACKAGE = Path(mpi_pgd.__file__).parent
# A name: where the only file of the package is that may have it as a literal. A key in brackets, row["scaling"], does not count.
HOMES = {
    **dict.fromkeys((each.name for each in MEMBERS), "modes/"),
    **dict.fromkeys((name for _, name in WAYS), "comm/"),
    **dict.fromkeys(STUDIES, "study/__init__.py"),
}
# The same words where they name something else.
ELSEWHERE = {
    "comm/graphs.py": {"ring": "a graph"},
    "slurm/script.py": {"compare": "a kind of script", "scaling": "a kind of script"},
    "synonyms.py": dict.fromkeys(("compare", "scaling", "network", "doctor"), "a command, meant by other words"),
    "study/scaling/__init__.py": {"scaling": "strong or weak, of a row"},
    "study/scaling/measure.py": {"scaling": "strong or weak, of a row"},
    "study/plan/__init__.py": {"network": "a flag"},
    "study/plan/planner.py": {"network": "the nodes, in the record"},
    "cli/slurm.py": {"network": "a flag"},
    "config.py": {"cache": "a setting"},
    "study/pieces.py": {"network": "the link between nodes"},
    **{f"study/doctor/{name}.py": {"network": "a check"} for name in ("checks", "facts", "links", "pings")},
}


def literals() -> Iterator[tuple[str, str]]:
    """Every text of the code, but for keys in brackets, with its file."""
    for path in sorted(PACKAGE.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        keys = {id(node.slice) for node in ast.walk(tree) if isinstance(node, ast.Subscript)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in keys:
                yield node.value, str(path.relative_to(PACKAGE))


def test_a_name_stands_in_one_file() -> None:
    found: dict[str, set[str]] = {name: set() for name in HOMES}
    for text, where in literals():
        if text in HOMES:
            found[text].add(where)
    for name, home in HOMES.items():
        others = {where for where, words in ELSEWHERE.items() if name in words}
        assert others <= found[name]
        assert [where.startswith(home) for where in found[name] - others] == [True], (name, found[name])


@pytest.mark.parametrize(("module", "without"), [("modes", "mpi4py numpy"), ("report.axes", "mpi4py numpy"), ("config", "mpi4py")])
def test_facts_need_no_mpi(module: str, without: str) -> None:
    words = f"import sys, mpi_pgd.{module}; print(*sorted(set({without.split()}) & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, check=True, timeout=60)
    assert result.stdout.strip() == ""


@pytest.mark.parametrize("ranks", [1, 2, 3, 8])
def test_every_rank_has_its_place(ranks: int) -> None:
    """Workers are numbered from 0 on without a gap, and rank 0 updates."""
    for facts in MEMBERS:
        workers = [facts.worker(rank, ranks) for rank in range(ranks)]
        assert workers == [-1] * facts.first_worker(ranks) + list(range(facts.workers(ranks)))
        assert facts.updates(0)
        assert [facts.workers(facts.ranks(count)) for count in range(1, 20)] == list(range(1, 20))
