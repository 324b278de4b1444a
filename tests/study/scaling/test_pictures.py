"""The lines of a speedup curve are where its rows say."""

from typing import Any

import pytest

from mpi_pgd.study.scaling.pictures import scaling

pytest.importorskip("matplotlib", reason="no matplotlib here: pip install 'mpi_pgd[report]'")


def row(ranks: int, speedup: float, predicted: float) -> dict[str, Any]:
    parts = {"compute": 0.8 / speedup, "wait": 0.0, "wire": 0.2 / speedup, "update": 0.0, "input": 0.0}
    found = {"scaling": "strong", "mode": "peer-to-peer", "algorithm": "library", "ranks": ranks, "workers": ranks, **parts}
    return found | {"seconds_per_round": 1 / speedup, "predicted_seconds_per_round": 1 / predicted, "speedup": speedup}


def test_measured_and_predicted_are_over_the_same_rank() -> None:
    from matplotlib.figure import Figure

    figure = Figure()
    picture = scaling({"rows": [row(4, 3.0, 3.5), row(1, 1.0, 1.0), row(2, 1.9, 1.75)]})[0]
    picture.draw(figure, False)
    ideal, predicted, measured = (line.get_xydata().tolist() for line in figure.axes[0].lines)
    assert ideal == [[1, 1], [4, 4]]
    assert [x for x, _ in predicted] == [1, 2, 4]
    assert [y for _, y in predicted] == pytest.approx([1.0, 1.75, 3.5])
    assert measured == [[1, 1.0], [2, 1.9], [4, 3.0]]
    assert (picture.mark, "Dashed: predicted" in picture.caption) == ("measured and predicted", True)


def test_without_predictions_nothing_is_said_of_them() -> None:
    rows = [{**row(ranks, ranks, ranks), "predicted_seconds_per_round": None} for ranks in (1, 2)]
    pictures = scaling({"rows": rows})
    assert [picture.name for picture in pictures] == ["scaling-speedup", "scaling-cost"]
    assert "predicted" not in pictures[0].caption + pictures[0].mark
