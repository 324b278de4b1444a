"""What a report shows of a comparison: what is doubtful is marked, row by row and as a whole."""

import pytest

from mpi_pgd.report.kinds import label
from mpi_pgd.study.compare import Compare
from tests.report import samples


def test_what_is_unreliable_is_marked() -> None:
    record = samples.compare(4)
    record |= {"doubts": ["other programs kept 1.5 cores busy"]}
    record["rows"][0] |= {"doubt": "turns differ by 40%", "predicted_doubt": "+50%"}
    assert label(record) == "unreliable"
    time, speedup, *_, predicted, baselines = Compare().tables(record)
    assert [row["name"] for row in baselines.rows] == ["one rank", "one rank, all threads"]
    assert (time.mark, speedup.mark, predicted.mark) == ("unreliable", "unreliable", "measured and predicted, unreliable")
    assert [time.columns[-1].key, predicted.columns[-1].key] == ["doubt", "predicted_doubt"]
    assert Compare().pictures(record)[0].mark == "measured and predicted, unreliable"
    assert "unreliable, as other programs kept 1.5 cores busy" in Compare().remarks(record)
    assert "doubt" not in [column.key for table in Compare().tables(samples.compare(4)) for column in table.columns]


@pytest.mark.parametrize(("seconds", "arrows"), [(1e-3, 0), (1.0, 1)])
def test_one_process_has_a_bar_that_goes_on_where_it_is_far_longer(seconds: float, arrows: int) -> None:
    figure_of = pytest.importorskip("matplotlib.figure").Figure
    record = samples.compare(4)
    ends = dict.fromkeys(("seconds_per_round", "low", "high", "compute"), seconds)
    record["baselines"] = [{**record["baselines"][0], **ends}]
    figure = figure_of()
    (picture,) = Compare().pictures(record)
    picture.draw(figure, False)
    (axes,) = figure.axes
    longest = max(row["high"] for row in record["rows"])
    assert axes.get_xlim()[1] < 2 * longest
    assert [text.get_text() for text in axes.get_yticklabels()][-1] == "one rank alone"
    assert sum(line.get_marker() == ">" for line in axes.lines) == arrows
