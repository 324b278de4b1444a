"""What a report shows of a comparison: what is doubtful is marked, row by row and as a whole."""

from mpi_pgd.report.kinds import label
from mpi_pgd.study.compare import Compare
from tests.report import samples


def test_what_is_unreliable_is_marked() -> None:
    record = samples.compare(4)
    record |= {"doubts": ["other programs kept 1.5 cores busy"]}
    record["rows"][0] |= {"doubt": "turns differ by 40%", "predicted_doubt": "+50%"}
    assert label(record) == "unreliable"
    time, speedup, *_, predicted = Compare().tables(record)
    assert (time.mark, speedup.mark, predicted.mark) == ("unreliable", "unreliable", "measured and predicted")
    assert [time.columns[-1].key, predicted.columns[-1].key] == ["doubt", "predicted_doubt"]
    assert Compare().pictures(record)[0].mark == "measured and predicted, unreliable"
    assert "unreliable, as other programs kept 1.5 cores busy" in Compare().remarks(record)
    assert "doubt" not in [column.key for table in Compare().tables(samples.compare(4)) for column in table.columns]
