"""Sentences of a page, and where its records were made; the page as a whole is in test_html."""

from typing import Any

import pytest

from mpi_pgd.report.page import _machine, _sentence


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a round takes 3 ms", "A round takes 3\N{NO-BREAK SPACE}ms."),
        ("it sends 12 MB/s, 5 % less!", "It sends 12\N{NO-BREAK SPACE}MB/s, 5\N{NO-BREAK SPACE}% less!"),
        ("in 4 seconds 8 hosts", "In 4 seconds 8 hosts."),
        ("why?", "Why?"),
    ],
)
def test_a_number_and_its_unit_stay_together(text: str, shown: str) -> None:
    assert _sentence(text) == shown


def test_hosts_beyond_the_eighth_are_counted_and_what_is_not_known_is_left_out() -> None:
    record: dict[str, Any] = {
        "machine": {"hosts": {f"n{place}": 4 for place in range(10)}, "processor": ""},
        "versions": {"mpi": "M"},
    }
    found = dict(_machine(record))
    assert found == {"hosts (ranks)": ", ".join(f"n{place} (4)" for place in range(8)) + " and 2 more", "mpi": "M"}
