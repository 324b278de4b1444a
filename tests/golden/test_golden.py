"""Every mode, algorithm, solver and option that decides bits gives the bits that golden.json has.

Those of the compiled kernel are one number for every processor; those of the one in numpy are of one numpy, one OpenBLAS and its
Haswell kernels. See values.py for how to write them anew. Several MPI libraries share the fits, but for those whose sums are
theirs, and numpy makes every other one; MPI_PGD_EVERY=1 makes every fit with each.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mpi_pgd.kernel import NUMPY
from tests.golden.cases import MAKES, fits
from tests.golden.values import GOLDEN, KERNELS, digest, found, named, place
from tests.launch import Library, libraries


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


@pytest.mark.parametrize("kernel", KERNELS)
def test_every_fit_gives_its_golden_bits(library: Library, kernel: str, golden: dict[str, Any], tmp_path: Path) -> None:
    kept = golden["kernels"][kernel]
    if kernel == NUMPY and " avx2 " not in Path("/proc/cpuinfo").read_text().replace("\n", " "):
        pytest.skip("this processor has no AVX2, which the kernels of the golden bits need")
    number, count = [*libraries()].index(library.name), len(libraries())
    share = () if "MPI_PGD_EVERY" in os.environ else (number, count * (1 + (kernel == NUMPY)))
    came = found(library, kernel, tmp_path, kept["setting"], *share)
    if came["setting"] != kept["setting"]:
        pytest.skip(f"the golden bits are those of {kept['setting']}, here is {came['setting']}")
    other = came["mpi"] != golden["mpi"].get(library.name)
    lines = named(came, library.name)
    changed = list(moved(lines, kept["fits"], f" of {library.name} " if other else ""))
    assert not changed, f"{len(changed)} of {len(lines)} fits moved:\n" + "\n".join(changed)
    gone = {where for where in kept["fits"] if " of " not in where} - {place(item, library.name) for item in fits()}
    assert not gone, "golden.json has what nobody fits"


@pytest.mark.parametrize("name", MAKES)
def test_made_files_have_their_golden_numbers(golden: dict[str, Any], tmp_path: Path, name: str) -> None:
    assert digest(tmp_path, name) == golden["made"][name]
