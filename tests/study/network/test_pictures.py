"""The pictures of a network: its points, bars and lines are where its rows say."""

from typing import Any

import pytest

from mpi_pgd.study.network.pictures import network

pytest.importorskip("matplotlib", reason="no matplotlib here: pip install 'mpi_pgd[report]'")


def row(ranks: int, size: int, seconds: float, **more: Any) -> dict[str, Any]:
    found = {"kind": "collective", "link": "node", "mode": "peer-to-peer", "algorithm": "ring", "ranks": ranks, "bytes": size}
    found |= {"seconds": seconds, "low": seconds / 2, "high": seconds * 3, "fitted_seconds": seconds * 1.25, "residual": 0.25}
    return found | more


def test_the_most_ranks_of_each_link_are_shown_with_quartiles_and_what_the_fit_leaves() -> None:
    from matplotlib.figure import Figure

    rows = [row(2, 8, 9.0), row(4, 64, 2.0), row(4, 8, 1.0), row(2, 8, 5.0, link="network"), row(4, 0, 1.0)]
    (picture,) = network({"rows": rows})
    assert "Medians on 4 ranks and 2 ranks" in picture.caption
    figure = Figure()
    picture.draw(figure, False)
    titles = [axes.get_title() for axes in figure.axes]
    assert titles == ["within a node", "between nodes", "", ""]
    upper, lower = figure.axes[0], figure.axes[2]
    points, fitted = (line.get_xydata().tolist() for line in upper.lines)
    assert (points, fitted) == ([[8, 1.0], [64, 2.0]], [[8, 1.25], [64, 2.5]])
    bars = [segment.tolist() for segment in upper.collections[0].get_segments()]
    assert bars == [[[8, 0.5], [8, 3.0]], [[64, 1.0], [64, 6.0]]]
    assert lower.lines[1].get_xydata().tolist() == [[8, 25.0], [64, 25.0]]


def test_nothing_is_drawn_of_what_took_no_time() -> None:
    assert network({"rows": [row(4, 8, 0.0)]}) == []
