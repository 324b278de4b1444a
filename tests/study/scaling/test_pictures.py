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
    ideal, predicted, measured = lines(figure)
    assert ideal == [[1, 1], [4, 4]]
    assert [x for x, _ in predicted] == [1, 2, 4]
    assert [y for _, y in predicted] == pytest.approx([1.0, 1.75, 3.5])
    assert measured == [[1, 1.0], [2, 1.9], [4, 3.0]]
    assert (picture.mark, "Dashed: predicted" in picture.caption) == ("measured and predicted", True)


def lines(figure: Any) -> list[Any]:
    return [line.get_xydata().tolist() for line in figure.axes[0].lines]


def test_a_server_has_an_ideal_of_its_own_and_one_process_is_a_line_across() -> None:
    from matplotlib.figure import Figure

    figure = Figure()
    rows = [
        {**row(ranks, ranks, ranks), "workers": max(1, ranks - 1), "speedup_low": 0.5, "speedup_high": 9.0} for ranks in (1, 2, 4)
    ]
    process = [one_process(1.0, 1), one_process(0.25, 8)]
    picture = scaling({"rows": rows, "baselines": [*process, {"name": "closed form", "threads": 8, "seconds": 3.0}]})[0]
    picture.draw(figure, False)
    _, served, alone, threads, *_ = lines(figure)
    assert served == [[1, 1], [2, 1], [3, 2], [4, 3]]
    assert [y for _, y in alone + threads] == [1.0, 1.0, 4.0, 4.0]
    (spans,) = figure.axes[0].collections
    assert [path.vertices.tolist() for path in spans.get_paths()] == [[[ranks, 0.5], [ranks, 9.0]] for ranks in (1, 2, 4)]
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert {"ideal, m", "ideal, m \N{MINUS SIGN} 1", "one rank alone", "one rank with 8 threads"} <= set(legend)


def one_process(seconds: float, threads: int) -> dict[str, Any]:
    ends = dict.fromkeys(("seconds_per_round", "low", "high", "compute"), seconds)
    return {"name": "one", "threads": threads, **dict.fromkeys(("wait", "wire", "update", "input"), 0.0), **ends}


def test_without_predictions_nothing_is_said_of_them() -> None:
    rows = [{**row(ranks, ranks, ranks), "predicted_seconds_per_round": None} for ranks in (1, 2)]
    pictures = scaling({"rows": rows})
    assert [picture.name for picture in pictures] == ["scaling-speedup", "scaling-cost"]
    assert "predicted" not in pictures[0].caption + pictures[0].mark
