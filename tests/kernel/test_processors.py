"""A fit has the same bits on every processor: whatever instruction set the kernel takes, and whatever numpy, BLAS and libm take."""

import json
from pathlib import Path
from typing import Any

import pytest

from mpi_pgd.kernel import NAME, NUMPY, VARIABLE
from tests.launch import launch, libraries

if NAME == NUMPY:
    pytest.skip("no compiled kernel here", allow_module_level=True)
from mpi_pgd.kernel import native

pytestmark = pytest.mark.beside("programs")

NEWER = "X86_V4 AVX512_ICL AVX512_SPR"  # numpy's names of what AVX2 alone has not
# What numpy, OpenBLAS and the C library are told that the processor is, beside the kernel's instruction set.
PROCESSORS: dict[str, dict[str, str]] = {
    "avx512": {},
    "avx2": {"OPENBLAS_CORETYPE": "Haswell", "NPY_DISABLE_CPU_FEATURES": NEWER},
    "baseline": {
        "OPENBLAS_CORETYPE": "Prescott",
        "NPY_DISABLE_CPU_FEATURES": f"X86_V3 {NEWER}",
        "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX512F,-AVX2,-FMA",
    },
}


def came(name: str, folder: Path) -> dict[str, Any]:
    """What the fits give on such a processor."""
    folder.mkdir()
    environment = {VARIABLE: name, **PROCESSORS[name]}
    library = next(iter(libraries().values()))
    result = launch(library, 1, "-m", "tests.kernel.fits", folder, module="mpi4py", timeout=120, env=environment)
    assert result.returncode == 0, result
    found: dict[str, Any] = json.loads((folder / "found.json").read_text())
    return found


def test_fits(tmp_path: Path) -> None:
    first, *others = native.names()
    if not others:
        pytest.skip("this processor has one instruction set")
    expected = came(first, tmp_path / first)
    assert len(expected) > 25
    for name in others:
        found = came(name, tmp_path / name)
        moved = [case for case in expected if found[case] != expected[case]]
        assert not moved, f"{name} gives other bits than {first}"
