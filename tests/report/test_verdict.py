"""What is said of a fit is what its record says; records of earlier versions say less."""

from typing import Any

import pytest

from mpi_pgd.report import verdict

SOLVED = {"certificate": {"kind": "solved", "gap": 1e-17, "relative": 1e-16}}


def diagnosed(**more: Any) -> dict[str, Any]:
    return {"diagnosis": {"condition": 1234.5, "digits": 11.7, "unique": True, "reached": 15.95, **more}}


def certified(kind: str, relative: float | None, digits: float = 9.26) -> dict[str, Any]:
    return {"certificate": {"kind": kind, "relative": relative}, "digits": digits}


def test_a_solver_is_named_with_the_reason() -> None:
    assert verdict.solver({"solver": "newton", "solver_reason": "few"}) == "newton (few)"
    assert verdict.solver({"solver": "gd", "solver_reason": ""}) == "gd"
    assert verdict.solver({"config": {"solver": "gd"}}) == "gd"
    assert verdict.solver({"config": {"solver": 3}}) is None


@pytest.mark.parametrize(
    ("record", "said"),
    [
        (certified("duality gap", 3e-7), "within 3e-07 of the optimum, relative to all it can fall by (duality gap)"),
        (certified("Newton decrement", 0.0), "within 1e-16 of"),
        ({"certificate": {"kind": "duality gap", "gap": 1e-16, "relative": 1.0}, "objective": 0.5}, "to its rounding (duality"),
        (certified("duality gap", None), "none but the gradient's norm, which fell by 9.3 powers of ten"),
        (certified("gradient norm", 1.0), "none but the gradient's norm, which fell by 9.3 powers of ten"),
        (certified("gradient norm", 1.0, 0.0), "none: the gradient's norm is no smaller than at the start"),
        (certified("duality gap", 3e-7) | {"separation": "no finite optimum: ..."}, "none: no weights are the best"),
        (SOLVED | diagnosed(), "solved to the last digit"),
        (SOLVED | diagnosed(reached=12.3), "solved to 12 digits"),
        (SOLVED | diagnosed(unique=False), "no weights fit better, though others fit as well"),
    ],
)
def test_a_certificate_says_what_is_known(record: dict[str, Any], said: str) -> None:
    assert said in str(verdict.certificate(record))


def test_a_condition_is_said_with_the_digits_that_it_leaves() -> None:
    assert verdict.condition(diagnosed()) == "1.2e+03: the rounding of the rows leaves 11 digits of the weights for certain"
    assert str(verdict.condition(diagnosed(condition=None))).startswith("beyond what can be told: ")
    assert str(verdict.condition(diagnosed(unique=False))).endswith("collinear, so that the weights are not unique")


def test_what_is_explained_has_its_name() -> None:
    assert verdict.explained({"r2": 0.5, "explains": "variance"}) == ("R2", "0.500000")
    assert verdict.explained({"r2": 0.5, "explains": "deviance"}) == ("explained", "0.500000 of the deviance")
    assert verdict.explained({"r2": None, "explains": "deviance"}) == ("R2", "not defined")
    assert verdict.explained({"r2": 0.5}) == ("R2", "0.500000")


def test_earlier_records_say_less() -> None:
    assert (verdict.certificate({}), verdict.condition({}), verdict.solver({})) == (None, None, None)
