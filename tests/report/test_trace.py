"""The timeline's file, against the format's description."""

import json
from pathlib import Path

import numpy as np

from mpi_pgd.report import trace
from tests.traces import spans


def test_every_part_of_every_round_is_there(tmp_path: Path) -> None:
    times = 100.0 + np.cumsum(np.random.default_rng(0).exponential(1e-3, size=(3, 4 * 7)), axis=1).reshape(3, 4, 7)
    trace.write(tmp_path / "trace.json", ["a", "a", "b"], 7, times)
    events = json.loads((tmp_path / "trace.json").read_text())["traceEvents"]
    names = {(event["pid"], event["tid"]): event["args"]["name"] for event in events if event["name"] == "thread_name"}
    assert names == {(1, 1): "rank 0", (1, 2): "rank 1", (2, 3): "rank 2"}
    assert [event["args"]["name"] for event in events if event["name"] == "process_name"] == ["node a", "node b"]
    found = spans(tmp_path / "trace.json")
    assert len(found) == 3 * 4 * 6
    assert {event["args"]["round"] for event in found} == {7, 8, 9, 10}
    for rank in range(3):
        mine = [event for event in found if event["tid"] == rank + 1]
        for name in ("input", "compute", "wait", "wire", "update"):
            columns = [place for place, part in enumerate(trace.NAMES) if part == name]
            expected = np.diff(times[rank], axis=-1)[:, columns].sum() * 1e6
            assert abs(sum(event["dur"] for event in mine if event["name"] == name) - expected) < 0.01


def test_parts_of_no_length_are_left_out(tmp_path: Path) -> None:
    trace.write(tmp_path / "trace.json", ["a"], 0, np.array([[[0.0, 0.0, 1.0, 1.0, 1.0, 2.0, 2.0]]]))
    events = json.loads((tmp_path / "trace.json").read_text())["traceEvents"]
    assert [event["name"] for event in events if event["ph"] == "X"] == ["compute", "update"]


def test_it_is_bounded() -> None:
    assert trace.rounds_of(4) * 4 * len(trace.NAMES) <= trace.EVENTS
    assert trace.rounds_of(4, 0.001) * 4 * len(trace.NAMES) <= trace.LEAST
    assert trace.rounds_of(10**6) == 1
