"""What a diagnosis has to say to a person."""

import pytest

from mpi_pgd.solvers.diagnosis import Diagnosis


@pytest.mark.parametrize(
    ("ill", "unique", "names", "said"),
    [
        (False, True, [], ""),
        (
            True,
            False,
            ["a", "b", "c"],
            "columns a, b and c are collinear: the weights are not unique, only the fit is;",
        ),
        (False, False, [], "the columns are collinear"),
        (
            True,
            True,
            ["a"],
            "column a is nearly collinear (condition 2e+09): the rounding of the rows leaves 3 digits of the",
        ),
        (True, True, [f"x{place}" for place in range(40)], "columns x0, x1, x2, x3, x4, x5, x6, x7, x8, x9 and 30 more are nearly"),
    ],
)
def test_a_caution_names_columns_and_says_what_to_do(ill: bool, unique: bool, names: list[str], said: str) -> None:
    found = Diagnosis(2e9, 3.9, ill, unique, tuple(range(len(names)))).caution(names)
    assert found.startswith(said)
    assert (found == "") == (said == "")
    assert found.endswith("drop one or add --l2") or not found
