"""Whether a trace is what Chrome's "Trace Event Format" describes, as far as we use it; Perfetto reads that."""

import json
from collections import defaultdict
from itertools import pairwise
from pathlib import Path
from typing import Any

ROUNDED = 0.0011  # microseconds: begin and length are each rounded to 0.001


def spans(path: Path) -> list[dict[str, Any]]:
    """The complete events of a trace, after a look at every event."""
    record = json.loads(path.read_text())
    assert record["displayTimeUnit"] in ("ms", "ns")
    assert isinstance(record["traceEvents"], list)
    tracks: dict[tuple[int, int], list[dict[str, Any]]] = defaultdict(list)
    named = set()
    for event in record["traceEvents"]:
        assert isinstance(event["pid"], int)
        assert isinstance(event["tid"], int)
        assert isinstance(event["name"], str)
        if event["ph"] == "M":
            assert event["name"] in ("process_name", "thread_name")
            assert isinstance(event["args"]["name"], str)
            named.add((event["pid"], event["tid"] if event["name"] == "thread_name" else None))
            continue
        assert event["ph"] == "X"
        assert event["ts"] >= 0
        assert event["dur"] >= 0
        tracks[event["pid"], event["tid"]].append(event)
    for (process, thread), track in tracks.items():
        assert (process, thread) in named
        assert (process, None) in named
        for one, other in pairwise(track):  # on one track, spans must not cross
            assert other["ts"] >= one["ts"] + one["dur"] - ROUNDED
    return [event for track in tracks.values() for event in track]
