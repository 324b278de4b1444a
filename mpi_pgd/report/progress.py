"""How far a command is: on one live line, or on several in a log."""

import math
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from threading import Event, Thread
from time import perf_counter
from typing import TypeVar

from mpi_pgd.report.line import LINE

Item = TypeVar("Item")

LIVE, LOGGED = 0.1, 5.0  # seconds between lines
TICK = 1.0  # the same, where a thread writes them beside what is measured
SURE = 1.0  # seconds before the slope of a few rounds tells anything
EVENLY = 2.0  # times as many rounds to go by one stretch of the past as by another, at most


class Progress:
    """Of a fit. Called after each evaluation by the rank that has the figures.

    Args:
        rounds, tol: limits of the fit.
        until: when the user wants it to stop at the latest, by ``perf_counter()``; inf if never.
        ends: when the job that it runs in ends.
        first: the gradient's norm at zero weights, of a fit that goes on; else 0.
    """

    def __init__(self, rounds: int, tol: float, until: float, ends: float, first: float) -> None:
        self.limit, self.tol, self.until, self.ends = rounds, tol, until, ends
        self.every = LIVE if LINE.begin() else LOGGED
        self.begun = self.last = perf_counter()
        self.norm = first
        self.begin = (-1, 0.0)  # the round, and the gradient's norm, at the first call
        self.marks = [self.begin] * 2  # the same after a quarter to a half of the rounds since, and after half to all of them

    def __call__(self, done: int, objective: float, gradient_norm: float) -> None:
        """Print a line if it is time to."""
        now = perf_counter()
        if self.begin[0] < 0:
            self.begin = (done, gradient_norm)  # a fit that goes on does not begin with 0
            self.marks = [self.begin] * 2
            self.norm = self.norm or gradient_norm
        if now - self.last < self.every:
            return
        self.last = now
        if done - self.begin[0] >= 2 * (self.marks[1][0] - self.begin[0]) > 0 or self.marks[1] == self.begin:
            self.marks = [self.marks[1], (done, gradient_norm)]
        rate = (done - self.begin[0]) / (now - self.begun)
        rest, sure = self._rest(done, gradient_norm)
        parts = [
            (f"round {done}", 0),
            (f"objective {objective:.9g}", 2),
            (f"gradient {gradient_norm:.2e}", 1),
            (f"{rate:.0f} rounds/s", 3),
            (self._left(done, rest, sure, rate, now), 0),
        ]
        LINE.show([part for part in parts if part[0]])

    def _rest(self, done: int, norm: float) -> tuple[float, bool]:
        """Rounds to go, as the gradient falls of late, and whether it does so evenly and would be there before the last round."""
        aim, (early, late) = self.tol * self.norm, self.marks
        rest = [rounds_to(aim, early, (done, norm))]
        if 4 * (done - late[0]) >= late[0] - early[0]:
            rest.append(rounds_to(aim, late, (done, norm)))
        return rest[0], max(rest) <= min(EVENLY * min(rest), self.limit - done)

    def _left(self, done: int, rest: float, sure: bool, rate: float, now: float) -> str:
        """How long it takes, if the gradient goes on to fall as it does; nothing if that can't be known."""
        slowly = (self.limit - done) / rate if rate else math.inf
        seconds = min(rest / rate if rate else math.inf, slowly)
        known = self.tol == 0 or (sure and now - self.begun >= SURE)
        told = []
        if known and seconds <= self.until - now:
            told.append(f"about {_duration(min(seconds, self.ends - now))} left")
        elif self.until < math.inf:
            told.append(f"at most {_duration(min(self.until, self.ends) - now)} left")
        if self.ends < math.inf:
            enough = min(seconds, self.until - now) <= self.ends - now
            told.append(f"{_duration(self.ends - now)} of the job left: {'enough' if enough else 'too few at this rate'}")
        return "; ".join(told)


class Steps:
    """Of a command that takes one step after the other: "turn 4 of 24, about 40 s left".

    A thread writes the line, so that it comes however long a step takes; it wakes once a second on a terminal, and every five in
    a log, which what is timed beside it does not feel.

    Args:
        word: what a step is.
        keys: one for each step; those of the same key take about as long.
        shown: whether there is to be a line at all.
        until: when it is all over at the latest, by ``perf_counter()``, if that is known.
    """

    def __init__(self, word: str, keys: Sequence[Hashable], shown: bool, until: float = math.inf) -> None:
        self.word, self.keys, self.until = word, keys, until
        self.number, self.began = -1, perf_counter()
        self.known: dict[Hashable, float] = {}
        self.shown = shown
        self._over = Event()

    def __enter__(self) -> "Steps":
        if self.shown:
            self._thread = Thread(target=self._tell, args=(TICK if LINE.begin() else LOGGED,), daemon=True)
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        if self.shown:
            self._thread.join()
            LINE.clear()

    def next(self) -> None:
        """A step begins."""
        now = perf_counter()
        if self.number >= 0:
            self.known[self.keys[self.number]] = now - self.began
        self.began = now
        self.number += 1

    def _tell(self, every: float) -> None:
        while not self._over.wait(every):
            if self.number >= 0:
                LINE.show([(self.text(perf_counter()), 0)])

    def text(self, now: float) -> str:
        """What there is to say."""
        number, known = self.number, dict(self.known)
        said = f"{self.word} {number + 1:,} of {len(self.keys):,}"
        if self.until < math.inf:
            return f"{said}, at most {_duration(self.until - now)} left"
        if not known:
            return said
        usual = sum(known.values()) / len(known)
        rest = [known.get(key, usual) for key in self.keys[number:]]
        return f"{said}, about {_duration(max(0.0, rest[0] - (now - self.began)) + sum(rest[1:]))} left"


def steps(
    word: str, items: Sequence[Item], shown: bool, key: Callable[[Item], Hashable] = lambda _: None, until: float = math.inf
) -> Iterator[Item]:
    """Each of ``items`` in turn, while a line tells which it is (see ``Steps``)."""
    with Steps(word, [key(item) for item in items], shown, until) as line:
        for item in items:
            line.next()
            yield item


def parts(word: str, items: Iterable[Item], share: Callable[[Item], float], shown: bool) -> Iterator[Item]:
    """Each of ``items`` in turn, while a line tells what has been done: "reading, 43 %, about 12 s left".

    Args:
        word: what is done.
        items: parts of the work.
        share: of all work that is done with an item, 0 to 1.
        shown: whether there is to be a line at all.
    """
    every = LIVE if shown and LINE.begin() else LOGGED
    begun = last = perf_counter()
    try:
        for item in items:
            yield item
            now, done = perf_counter(), share(item)
            if shown and now - last >= every and done > 0:
                last = now
                LINE.show([(word, 0), (f"{100 * done:.0f} %", 0), (f"about {_duration((now - begun) * (1 / done - 1))} left", 1)])
    finally:
        if shown:
            LINE.clear()


def rounds_to(aim: float, begin: tuple[int, float], now: tuple[int, float]) -> float:
    """Rounds until the gradient's norm is at ``aim``, if its logarithm goes on to fall as it did.

    It did so from ``begin`` to ``now``, each (round, norm).
    """
    done, norm = now
    if norm <= aim:
        return 0.0
    if not (aim > 0 and norm < begin[1] < math.inf):
        return math.inf
    return (done - begin[0]) * math.log(norm / aim) / math.log(begin[1] / norm)


def _duration(seconds: float) -> str:
    seconds = max(0.0, seconds)
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
