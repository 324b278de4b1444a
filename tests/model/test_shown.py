"""What a model says of itself: at the prompt, in full, and in a notebook."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mpi_pgd import Model, load

FITTED = load(Path(__file__).with_name("written") / "0.2.0")


def test_the_prompt_shows_ten_lines_or_so() -> None:
    lines = repr(FITTED).splitlines()
    assert lines[0] == f"mpi_pgd.Model, logistic loss: converged after {FITTED.record['rounds']} rounds"
    assert len(lines) <= 12
    assert [line.split()[0] for line in lines[1:]] == [
        *("data", "mode", "solver", "certificate", "objective", "explained", "coefficients", "intercept", "weights"),
    ]


def test_the_summary_has_all_coefficients() -> None:
    many = replace(FITTED, coef=np.arange(12.0), feature_names=tuple(f"feature {place}" for place in range(12)))
    assert all(f"feature {place}" in many.summary() for place in range(12))
    assert "the 10 largest of 12" in repr(many)


def test_a_notebook_shows_names_as_they_are() -> None:
    found = replace(FITTED, feature_names=("<b>", "a & b"))._repr_html_()
    assert "&lt;b&gt;" in found
    assert "<b>" not in found
    assert found.count("<table>") == found.count("</table>") == 2


@pytest.mark.parametrize(("coef", "intercept"), [(np.ones(2), 0.0), (np.ones((2, 3)), np.zeros(3))])
def test_a_model_without_a_record_says_so(coef: Any, intercept: Any) -> None:
    made = Model(coef, intercept)
    assert repr(made).startswith("mpi_pgd.Model, squared loss: how it was fitted is not known")
    assert "x1" in made._repr_html_()
