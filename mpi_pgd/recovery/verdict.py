"""What the ranks answered, and who keeps everyone waiting: in words, and as a list. Pure."""

from collections.abc import Collection, Mapping, Sequence
from itertools import groupby
from typing import NamedTuple

from mpi_pgd.observers.heartbeat import SUMMING, WAITING

MOST = 8  # groups that are named


class Member(NamedTuple):
    """A rank as others see it."""

    rank: int
    host: str
    pid: int
    cookie: bytes  # 8 random ones, by which others know it
    node: bytes  # what shares its process numbers: a member with the same can kill it
    net: bytes  # what shares its loopback
    port: int
    addresses: tuple[str, ...]  # IPv4, where it listens; if there are several, it is not known which of them others can reach


class Answer(NamedTuple):
    """What a rank says of itself: its last finished round, its step and seconds in it."""

    round: int
    step: str
    inside: float

    @property
    def waits(self) -> bool:
        """It is not to blame."""
        return self.step.startswith(WAITING)


Answers = Mapping[int, Answer]  # by rank; who does not answer is missing


def frozen(members: Sequence[Member], answers: Answers, patience: float) -> list[Member]:
    """Who does not answer, or has been in a step of its own for longer than ``patience``."""
    fine = {rank for rank, answer in answers.items() if answer.waits or answer.inside <= patience}
    return [member for member in members if member.rank not in fine]


def sentence(members: Sequence[Member], answers: Answers, age: float, unknown: Collection[Member] = ()) -> str:
    """Who does what; ``age`` is how long no round has finished, ``unknown`` are those that can't be asked."""
    last = max(answer.round for answer in answers.values())
    head = f"no round has finished for {age:.0f} s ({f'the last was round {last}' if last else 'none so far'}): "
    waiting = [rank for rank, answer in answers.items() if answer.waits]
    if len(waiting) == len(members):
        return head + "every rank answers and waits for the others; a link between them may be cut"
    parts = _silent([member for member in members if member.rank not in answers], unknown) + _busy(members, answers)
    if waiting:
        what = "in the sums" if all(answers[rank].step == SUMMING for rank in waiting) else "for the others"
        parts.append(f"{names(waiting)} {_do(waiting, 'waits', 'wait')} {what}")
    return head + "; ".join(parts)


def names(ranks: Sequence[int], host: str = "") -> str:
    """``rank 2``, ``ranks 0 and 3``, ``ranks 1, 3 and 5 to 9 on c2``."""
    pairs = groupby(enumerate(sorted(ranks)), key=lambda pair: pair[1] - pair[0])
    runs = [[rank for _, rank in run] for _, run in pairs]
    text = [str(run[0]) if len(run) == 1 else f"{run[0]} {'and' if len(run) == 2 else 'to'} {run[-1]}" for run in runs]
    several = len(text) > 1 and len(runs[-1]) != 2
    joined = ", ".join(text[:-1]) + " and " + text[-1] if several else ", ".join(text)
    return f"rank{'s' if len(ranks) > 1 else ''} {joined}{f' on {host}' if host else ''}"


def _silent(silent: Sequence[Member], unknown: Collection[Member]) -> list[str]:
    hosts: dict[tuple[str, bool], list[int]] = {}
    for member in silent:
        hosts.setdefault((member.host, member in unknown), []).append(member.rank)
    said = []
    for (host, never), ranks in hosts.items():
        gone = f"{_do(ranks, 'does', 'do')} not answer (stopped, or {_do(ranks, 'its', 'their')} node is gone)"
        shut = f"{_do(ranks, 'has', 'have')} never answered (datagrams may not pass between the nodes)"
        said.append(f"{names(ranks, f'node {host}')} {shut if never else gone}")
    return _most(said, "more nodes")


def _busy(members: Sequence[Member], answers: Answers) -> list[str]:
    groups: dict[tuple[str, str], list[int]] = {}
    for member in members:
        answer = answers.get(member.rank)
        if answer and not answer.waits:
            groups.setdefault((answer.step, member.host), []).append(member.rank)
    said = [
        f"{names(ranks, host)} {_do(ranks, 'has', 'have')} been {step} for {max(answers[rank].inside for rank in ranks):.0f} s"
        for (step, host), ranks in groups.items()
    ]
    return _most(said, "more do other things")


def _most(said: list[str], rest: str) -> list[str]:
    return said if len(said) <= MOST else [*said[:MOST], f"{len(said) - MOST} {rest}"]


def _do(ranks: Sequence[int], one: str, many: str) -> str:
    return one if len(ranks) == 1 else many
