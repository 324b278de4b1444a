"""The plan's formulas with the numbers in them."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

from mpi_pgd.data.partition import Partition
from mpi_pgd.engine.partial import Vote
from mpi_pgd.modes import MODES
from mpi_pgd.report.units import count
from mpi_pgd.study.curves import Curve
from mpi_pgd.study.model import Model, messages
from mpi_pgd.study.paces import harmonic
from mpi_pgd.study.plan import mixing
from mpi_pgd.study.plan.planner import Planner, Question, check

HEAD = """A round takes compute + wait + latency + bandwidth + update. All seconds below are predicted, from what the network file
holds: alpha (s a message), overhead (s a message right behind another), beta (s a byte), and the rate at which rows are mapped."""


def explain(record: Mapping[str, Any], question: Question) -> str:
    """The formulas with numbers for the best mode, algorithm and number of workers. Raises InputError: see ``planner.plan``."""
    check(question)
    planner = Planner(Model.from_record(record), question)
    best = min(((*way, planner.best(*way)) for way in planner.sums), key=lambda row: planner.seconds(*row))
    return "\n\n".join([HEAD, "\n".join(_lines(planner, *best)), *planner.notes()])


def _lines(planner: Planner, mode: str, algorithm: str, workers: int) -> Iterator[str]:
    found = planner.predict(mode, algorithm, workers)
    ranks = MODES[mode].ranks(workers)
    yield f"The fastest: {mode} ({algorithm}), {count(workers, 'worker')}, {count(ranks, 'rank')}"
    yield from _compute(planner, ranks, workers, found.compute)
    yield _wait(planner, workers, found.wait)
    if ranks > 1:
        stages = planner.model.stages(mode, algorithm, ranks, planner.fill)
        for curve, talking in stages:
            yield from _wire(planner, mode, curve, talking)
    yield f"  latency    {_s(found.latency)}"
    yield f"  bandwidth  {_s(found.bandwidth)}"
    yield f"  update     {_s(found.update)}  for {planner.question.features + 2:,} numbers"
    yield f"  a round    {_s(found.total)}"
    rounds, times = planner.question.rounds, planner.times(mode, algorithm, workers)
    if MODES[mode].neighbours:
        known = f"kappa {mixing.condition(rounds):.3g}, gap {mixing.gap(algorithm, ranks):.3g}"
        yield f"  rounds     x {times:.3g}  = max(1, 2 / (kappa gap)), {known}"
    if rounds is not None:
        rounds = math.ceil(rounds * times)
        hours = rounds * found.total * ranks / 3600
        yield f"  the fit    {_s(rounds * found.total)}  = {rounds:,} rounds; {hours:.3g} core-hours on {count(ranks, 'rank')}"


def _compute(planner: Planner, ranks: int, workers: int, seconds: float) -> Iterator[str]:
    q, model = planner.question, planner.model
    partition = Partition(q.rows, q.features)
    mine, blocks = model.share(workers, q.rows, q.features), partition.most(workers)
    size = model.size(workers, q.rows, q.features)
    rate, slower = model.paces.rate(q.features, size), model.slowdown(workers, ranks, planner.fill, size)
    yield f"  compute    {_s(seconds)}  = {blocks:,} of {partition.blocks:,} blocks: {mine:,} rows * 8 ({q.features:,} + 1) bytes"
    crowd = f"{count(workers, 'rank')} at work, up to {planner.fill:,} on a node"
    yield f"             / {rate / 1e9:.3g} GB/s alone * {slower:.3g} with {crowd}"


def _wait(planner: Planner, workers: int, seconds: float) -> str:
    q, paces = planner.question, planner.model.paces
    if q.wait is None:
        late = paces.late(workers, planner.model.size(workers, q.rows, q.features))
        length = _s(paces.largest["seconds"])
        terms = f"(H_m - 1) * {late:.3g} * compute, / sqrt(c) if c > 1, c = compute / {length}"
    else:
        terms = f"H_m * {_s(q.wait)}"
    return f"  wait       {_s(seconds)}  = {terms}, H_m = {harmonic(workers):.4g} for m = {workers:,}"


def _wire(planner: Planner, mode: str, curve: Curve, ranks: int) -> Iterator[str]:
    """Of one stage; among the leaders of nodes, sums go out as they come in."""
    q, nodewise = planner.question, bool(MODES[mode].nodewise)
    there, back = messages(mode, q.features, q.folds)
    back = there if nodewise else back
    piece, found = curve.piece(there), curve.wire(ranks, there, back)
    path = piece.shape(ranks, there, back)
    alpha, overhead, beta = piece.factors
    numbers = there // 8 - len(Vote)
    sums = f"8 ({numbers:,} + {len(Vote)}) = {there:,} bytes of sums, of {q.features:,} + 2 numbers"
    orders = f", then n = 8 ({q.features:,} + 2) = {back:,} bytes of orders" if piece.shape.broadcast and not nodewise else ""
    yield f"  messages   n = {f'{there:,} bytes of weights, and what peers agree on' if MODES[mode].neighbours else sums}{orders}"
    each = "each of the two: " if piece.shape.broadcast else ""
    yield f"             {each}{piece.shape.formula}  (m = {ranks:,} ranks)"
    latency, bandwidth = alpha * path.latencies + overhead * path.behind, beta * path.bytes
    behind = f" + {path.behind:,.6g} overheads * {overhead:.3g} s" if path.behind else ""
    yield f"             fitted: {path.latencies:,.6g} alpha * {alpha:.3g} s{behind} = {_s(latency)}"
    yield f"             and {path.bytes:,.6g} bytes * beta {beta:.3g} s = {_s(bandwidth)};"
    factor = found.seconds / (latency + bandwidth) if latency + bandwidth else 1.0
    beyond = "extrapolated: " if found.extrapolated else ""
    yield f"             times {factor:.3g}, as the measured points nearest to it are to the fit"
    yield f"             {beyond}it may take {math.expm1(found.spread):.0%} more, or {-math.expm1(-found.spread):.0%} less"


def _s(seconds: float) -> str:
    for unit, scale in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= scale:
            return f"{seconds / scale:.4g} {unit}"
    return f"{seconds / 1e-9:.3g} ns" if seconds else "0 s"
