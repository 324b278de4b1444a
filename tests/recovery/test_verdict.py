"""The sentence about a round that does not finish, and who is held to be frozen."""

import pytest

from mpi_pgd.recovery.verdict import MOST, Answer, Member, frozen, names, sentence


def members(*hosts: str) -> list[Member]:
    return [Member(rank, host, 1000 + rank, b"cookie", b"node", b"net", 1, ()) for rank, host in enumerate(hosts)]


WAITS = Answer(123, "summing", 9.0)
READS = Answer(123, "reading rows 0 to 999 of a.h5", 12.0)
COMPUTES = Answer(123, "computing", 4.0)
HEAD = "no round has finished for 10 s (the last was round 123): "


@pytest.mark.parametrize(
    ("ranks", "text"),
    [
        ([2], "rank 2"),
        ([3, 0], "ranks 0 and 3"),
        ([0, 1], "ranks 0 and 1"),
        ([0, 1, 2, 3], "ranks 0 to 3"),
        ([1, 3, 5, 6, 7, 8, 9], "ranks 1, 3 and 5 to 9"),
        ([0, 2, 4, 5], "ranks 0, 2, 4 and 5"),
    ],
)
def test_ranks_by_name(ranks: list[int], text: str) -> None:
    assert names(ranks) == text
    assert names(ranks, "c1") == f"{text} on c1"


def test_silent_busy_and_waiting() -> None:
    answers = {0: WAITS, 1: READS, 3: WAITS}
    assert sentence(members("c1", "c1", "c2", "c2"), answers, 10.2) == (
        HEAD + "rank 2 on node c2 does not answer (stopped, or its node is gone); "
        "rank 1 on c1 has been reading rows 0 to 999 of a.h5 for 12 s; ranks 0 and 3 wait in the sums"
    )


def test_a_lost_node() -> None:
    assert sentence(members("a", "b", "b", "b"), {0: WAITS}, 10.2) == (
        HEAD + "ranks 1 to 3 on node b do not answer (stopped, or their node is gone); rank 0 waits in the sums"
    )


def test_who_was_never_heard() -> None:
    everyone = members("a", "b", "b", "c")
    assert sentence(everyone, {0: WAITS}, 10.2, unknown=everyone[1:3]) == (
        HEAD + "ranks 1 and 2 on node b have never answered (datagrams may not pass between the nodes); "
        "rank 3 on node c does not answer (stopped, or its node is gone); rank 0 waits in the sums"
    )


def test_nobody_is_to_blame() -> None:
    assert sentence(members("a", "b"), {0: WAITS, 1: WAITS}, 10.2) == (
        HEAD + "every rank answers and waits for the others; a link between them may be cut"
    )


def test_before_the_first_round() -> None:
    answers = {0: Answer(0, "waiting for the others' rows", 9.0), 1: Answer(0, "reading rows 7 to 9", 9.0)}
    assert sentence(members("a", "b"), answers, 10.2) == (
        "no round has finished for 10 s (none so far): "
        "rank 1 on b has been reading rows 7 to 9 for 9 s; rank 0 waits for the others"
    )


def test_of_many_only_some_are_named() -> None:
    hosts = [f"c{number}" for number in range(100)]
    text = sentence(members(*hosts), {0: WAITS}, 10.2)
    assert text.count("does not answer") == MOST
    assert f"{99 - MOST} more nodes" in text
    answers = {rank: Answer(5, f"reading row {rank}", 1.0) for rank in range(100)}
    assert sentence(members(*hosts), answers, 10.2).count("reading") == MOST


def test_frozen_is_who_is_silent_or_stuck_in_a_step_of_its_own() -> None:
    everyone = members("a", "a", "a", "a", "a")
    answers = {0: Answer(1, "summing", 99.0), 1: READS, 3: COMPUTES, 4: Answer(1, "waiting for the end", 99.0)}
    assert [member.rank for member in frozen(everyone, answers, patience=10.0)] == [1, 2]
    assert [member.rank for member in frozen(everyone, answers, patience=3.0)] == [1, 2, 3]
