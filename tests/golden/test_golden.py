"""Every mode, algorithm, solver and option that decides bits gives the bits that golden.json has.

Those of the compiled kernel are one number for every processor; those of the one in numpy are of one numpy, one OpenBLAS and its
Haswell kernels. See values.py for how to write them anew. Two MPI libraries share the fits, but for those whose sums are theirs,
the plain command makes half of them, and numpy makes a third; MPI_PGD_EVERY=1 makes every fit with each.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mpi_pgd.kernel import NUMPY
from tests.golden.cases import MAKES, fits
from tests.golden.script import came
from tests.golden.values import GOLDEN, digest, found, named, place
from tests.launch import NAMES, Library
from tests.thorough import thorough

EVERY = "MPI_PGD_EVERY" in os.environ


@pytest.fixture(scope="module")
def golden() -> dict[str, Any]:
    kept = json.loads(GOLDEN.read_text())
    assert isinstance(kept, dict)
    return kept


def moved(lines: list[tuple[str, str, str, dict[str, Any]]], kept: dict[str, Any], left: str) -> Iterator[str]:
    """In words, each fit that gave something else; plain sums that an MPI library adds are ``left`` out if it is another one."""
    for where, case, way, value in lines:
        if left and left in where:
            continue
        before = kept.get(where, {})
        if value != before:
            parts = (
                f"{name} {str(before.get(name))[:24]} -> {str(new)[:24]}" for name, new in value.items() if before.get(name) != new
            )
            yield f"{case} ({way}): {', '.join(parts)}"


def check(golden: dict[str, Any], kernel: str, library: str, given: dict[str, Any]) -> None:
    kept = golden["kernels"][kernel]
    if given["setting"] != kept["setting"]:
        pytest.skip(f"the golden bits are those of {kept['setting']}, here is {given['setting']}")
    other = given["mpi"] != golden["mpi"].get(library)
    lines = named(given, library)
    changed = list(moved(lines, kept["fits"], f" of {library} " if other else ""))
    assert not changed, f"{len(changed)} of {len(lines)} fits moved:\n" + "\n".join(changed)
    gone = {where for where in kept["fits"] if " of " not in where} - {place(item, library) for item in fits()}
    assert not gone, "golden.json has what nobody fits"


@pytest.mark.ranks(5)
@pytest.mark.parametrize("half", [0, thorough(1)])
def test_every_fit_gives_its_golden_bits(
    comm: Any, folder: Path, golden: dict[str, Any], half: int, request: pytest.FixtureRequest
) -> None:
    library, kernel = request.node.callspec.params["comm"][0], "native"
    share = (half, 2) if EVERY else (2 * half + [*NAMES.values()].index(library) % 2, 4)
    check(golden, kernel, library, came(comm, folder, golden["kernels"][kernel]["setting"], fits(*share)))


@pytest.mark.thorough
@pytest.mark.either
def test_fits_of_numpy_give_their_golden_bits(library: Library, golden: dict[str, Any], tmp_path: Path) -> None:
    if " avx2 " not in Path("/proc/cpuinfo").read_text().replace("\n", " "):
        pytest.skip("this processor has no AVX2, which the kernels of the golden bits need")
    wanted = golden["kernels"][NUMPY]["setting"]
    check(golden, NUMPY, library.name, found(library, NUMPY, tmp_path, wanted, *() if EVERY else (0, 3)))


@pytest.mark.parametrize("name", MAKES)
def test_made_files_have_their_golden_numbers(golden: dict[str, Any], tmp_path: Path, name: str) -> None:
    assert digest(tmp_path, name) == golden["made"][name]
