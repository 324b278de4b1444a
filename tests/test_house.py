"""The house: a family's names stand in one file each, and what everyone reads of a family needs no MPI."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import mpi_pgd
from mpi_pgd.modes import MEMBERS, MODES, WAYS

PACKAGE = Path(mpi_pgd.__file__).parent
ALGORITHMS = "comm/algorithms.py"
# A name: the only file of the package that may have it as a literal.
HOMES = {
    "client-server": "modes/client_server.py",
    "peer-to-peer": "modes/peer_to_peer.py",
    **dict.fromkeys(("library", "linear", "ring", "recursive-doubling", "rabenseifner"), ALGORITHMS),
}


def literals() -> Iterator[tuple[str, str]]:
    """Every text of the code with its file."""
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value, str(path.relative_to(PACKAGE))


def test_a_name_stands_in_one_file() -> None:
    found: dict[str, set[str]] = {}
    for text, where in literals():
        if text in HOMES:
            found.setdefault(text, set()).add(where)
    assert found == {name: {where} for name, where in HOMES.items()}


def test_every_member_has_a_home() -> None:
    assert set(HOMES) == {*MODES, *(name for _, name in WAYS)}


@pytest.mark.parametrize("module", ["mpi_pgd.modes", "mpi_pgd.config", "mpi_pgd.report.axes"])
def test_facts_need_no_mpi(module: str) -> None:
    """Nor numpy: `--help` reads them, too."""
    words = f"import sys, {module}; print(*sorted({{'mpi4py', 'numpy'}} & set(sys.modules)))"
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
