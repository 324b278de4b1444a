"""The table at the end shows what was fitted, and says what is left of it."""

import numpy as np
import pytest

from mpi_pgd.config import settings
from mpi_pgd.model.coefficients import Coefficients
from mpi_pgd.recovery.resume import Start
from mpi_pgd.report import tables, verdict
from mpi_pgd.report.tables import saved


def shown(coef: list[float], names: list[str]) -> str:
    return tables._coefficients(Coefficients.of(np.array(coef), 0.0, names))


def test_few_coefficients_are_all_there_by_name() -> None:
    assert shown([1.5, -2e9], ["size", "a b"]) == "size 1.5, a b -2e+09"
    assert shown([1.5, 0.0], []) == "x0 1.5, x1 0"
    assert shown([1.0], ["n" * 100]) == f"{'n' * 40}... 1"


def test_of_many_the_largest_in_the_order_of_the_columns() -> None:
    coef = [0.0] * 5000
    for place in range(10):
        coef[place * 7] = -1.0 - place
    assert shown(coef, []).startswith("the 10 largest of 5,000: x0 -1, x7 -2, ")
    assert shown([*coef, float("nan")], []).endswith("x5000 nan")


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (("", "", False), "nothing, as no --out was given"),
        (("", "c", False), "nothing but the checkpoint, as no --out was given: --resume c --out DIR"),
        (("r", "c", False), "model.h5, history.csv and run.json in r"),
        (("r\udcff", "", True), "model.h5, history.csv, trace.json and run.json in r\\udcff"),
    ],
)
def test_what_was_saved(words: tuple[str, str, bool], answer: str) -> None:
    assert saved(*words).startswith(answer)


def test_the_certificate_is_said_as_what_it_is() -> None:
    def said(**found: object) -> str:
        certificate = {"kind": "duality gap", "gap": 1.0, "relative": 3.4e-7, **found}
        return str(verdict.certificate({"certificate": certificate, "digits": 8.25}))

    assert said() == "the objective is within 4e-07 of the optimum, relative to all it can fall by (duality gap)"
    assert "within 1e-16 of the optimum" in said(relative=0.0)
    assert ["within 1e-12 " in said(relative=value) for value in (1e-12, 9.2e-13, 1.01e-12)] == [True, True, False]
    norm = "none but the gradient's norm, which fell by 8.2 powers of ten"
    assert said(kind="gradient norm") == said(relative=None) == said(kind="gradient norm", convex=True) == norm
    elsewhere = "; the loss is not convex, as far as is known: another optimum may be better"
    assert said(kind="gradient norm", convex=False) == norm + elsewhere


def test_the_solver_is_named_with_the_reason_if_it_was_chosen() -> None:
    assert verdict.solver({"solver": "gd", "solver_reason": ""}) == "gd"
    assert verdict.solver({"solver": "gd", "solver_reason": "the lecture"}) == "gd (the lecture)"


def test_all_coefficients_are_under_each_other() -> None:
    table = tables._every(
        Coefficients.of(np.arange(12) + 0.123456789, 0.0, [f"feature {place}" for place in range(12)])
    ).splitlines()
    assert table[0] == "coefficients all 12"
    assert table[1] == "  feature 0   0.123456789"
    assert table[12] == "  feature 11  11.1234568"


def test_a_long_line_is_folded_between_words() -> None:
    folded = tables.line("coefficients", ", ".join(f"feature{place} 1.25" for place in range(12))).splitlines()
    assert len(folded) == 2
    assert all(len(one) <= tables.WIDTH for one in folded)
    assert folded[1].startswith(" " * 13 + "feature")


def test_who_may_lose_the_result_is_told_at_the_start() -> None:
    from mpi_pgd.cli.fit import told

    def said(**given: object) -> list[str]:
        return list(told(Start(settings(given).as_dict())))

    assert said() == said(quiet=True, out="r") == []
    assert "neither shown nor saved" in said(quiet=True)[0]
