"""Numbers as text: as Python spells them, to the character."""

from collections.abc import Callable
from types import ModuleType

import numpy as np
import pytest

from mpi_pgd.kernel import NAME, NUMPY, Vector, reference

if NAME == NUMPY:
    pytest.skip("no compiled kernel here", allow_module_level=True)
from mpi_pgd.kernel import native

MANY = 100_000
TWOS = 2.0 ** np.arange(-1074, 1024)
TENS = np.array([float(f"1e{power}") for power in range(-323, 309)])
EDGES = [0.0, -0.0, np.nan, -np.nan, np.inf, -np.inf, 9007199254740993.0, 9999999999999998.0, 1e16, 1e-4, 9.999e-5, 1e22, 1e23]

NUMBERS: dict[str, Callable[[np.random.Generator], Vector]] = {
    "edges": lambda _: np.array([*EDGES, *np.finfo(float).max * np.array([1, -1]), np.finfo(float).tiny]),
    "powers of two": lambda _: np.r_[TWOS, -TWOS],
    "powers of ten": lambda _: TENS,
    "their neighbours": lambda _: np.r_[*(np.nextafter(some, end) for some in (TWOS, TENS) for end in (0.0, np.inf))],
    "any bits": lambda draw: draw.integers(0, 2**64, MANY, dtype=np.uint64).view(np.float64),
    "subnormal": lambda draw: draw.integers(0, 2 ** draw.integers(1, 53, MANY), dtype=np.uint64).view(np.float64),
    "near one": lambda draw: draw.standard_normal(MANY),
    "whole": lambda draw: draw.integers(-(2**63), 2**63, MANY) >> draw.integers(0, 63, MANY),
    "with few bits": lambda draw: draw.integers(0, 2**20, MANY) * 2.0 ** -draw.integers(0, 200, MANY),
    "with few digits": lambda draw: draw.integers(0, 10**6, MANY) / 10.0 ** draw.integers(0, 12, MANY),
}


@pytest.mark.parametrize("kind", NUMBERS)
def test_decimals(kind: str) -> None:
    x = np.ascontiguousarray(NUMBERS[kind](np.random.default_rng(3))[np.newaxis], dtype=np.float64)
    found, expected = native.decimals(x), reference.decimals(x)
    wrong = [pair for pair in zip(found.split(b"\n"), expected.split(b"\n"), strict=True) if pair[0] != pair[1]]
    assert not wrong[:5]
    assert expected.count(b"\n") == x.size


@pytest.mark.parametrize("kernel", [native, reference])
def test_lines(kernel: ModuleType) -> None:
    assert kernel.decimals(np.array([[1.0, 0.1], [-2.5, np.inf], [1e16, 3e-5]])) == b"1.0,-2.5,1e+16\n0.1,inf,3e-05\n"
    assert kernel.decimals(np.empty((3, 0))) == b""


def test_refusals() -> None:
    with pytest.raises(ValueError, match="lines of numbers"):
        native.decimals(np.zeros(3))
    with pytest.raises(TypeError, match="float64"):
        native.decimals(np.zeros((1, 3), dtype=np.float32))  # type: ignore[arg-type]
