"""The efficiencies of HPC centres, of rounds whose ranks are known."""

import math
from typing import Any

import pytest

from mpi_pgd.report.pop import NAMES, efficiencies, sentence


def rank(compute: float, wait: float, wire: float, update: float = 0.0, slowdown: float | None = 1.0) -> dict[str, Any]:
    return {"compute": compute, "wait": wait, "wire": wire, "update": update, "input": 0.0, "slowdown": slowdown}


def found(*ranks: dict[str, Any]) -> dict[str, float]:
    return {name: value for name, value in efficiencies(ranks).items() if value is not None}


SERVED = (rank(0.0, 8.0, 1.0, 1.0, slowdown=None), rank(8.0, 0.0, 1.0, 1.0), rank(4.0, 4.0, 1.0, 1.0))
PEERS = (rank(5.0, 1.0, 2.0, 2.0), rank(5.0, 1.0, 2.0, 2.0))  # each is slow in half of the rounds


def test_a_server_that_updates_and_workers_of_which_one_is_slow() -> None:
    expected = {"parallel": 13 / 30, "load_balance": 13 / 24, "communication": 0.8, "serialisation": 8 / 9, "transfer": 0.9}
    assert found(*SERVED) == pytest.approx({f"{name}_efficiency": value for name, value in expected.items()})


def test_peers_that_are_slow_in_turn_lose_by_serialisation() -> None:
    expected = {"parallel": 0.7, "load_balance": 1.0, "communication": 0.7, "serialisation": 7 / 8, "transfer": 0.8}
    assert found(*PEERS) == pytest.approx({f"{name}_efficiency": value for name, value in expected.items()})


@pytest.mark.parametrize("ranks", [SERVED, PEERS, (rank(3.0, 0.0, 0.5, 0.25),)])
def test_the_products_are_those_of_the_method(ranks: tuple[dict[str, Any], ...]) -> None:
    parallel, balance, communication, serialisation, transfer = (found(*ranks)[f"{name}_efficiency"] for name in NAMES)
    assert parallel == pytest.approx(balance * communication)
    assert communication == pytest.approx(math.prod((serialisation, transfer)))


def test_in_words() -> None:
    words = "parallel 70% = load balance 100% x communication 70% (serialisation 88% x transfer 80%)"
    assert sentence(efficiencies(PEERS)) == words
    assert sentence(efficiencies([rank(0.0, 0.0, 0.0)])) is None
