"""``plan``: predicted rounds from a measured network. Without ranks."""

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from mpi_pgd import config
from mpi_pgd.cli.arguments import Parser, number
from mpi_pgd.cli.studies import add_out
from mpi_pgd.errors import InputError, nearest
from mpi_pgd.modes import SYNONYMS

ROUNDS = 100


def parser() -> Parser:
    """Its flags."""
    made = Parser(
        "python -m mpi_pgd plan --network FILE --rows N --features P [--workers 1..4096] [options]",
        "Predict the round of each mode and algorithm from what `network` measured: where the modes cross over, the best number\n"
        "of workers, and the time and the core-hours of the whole fit. Nothing is run.",
    )
    for name, default, text in (
        ("network", None, "network.json, or the folder with it"),
        ("rows", None, "of the data"),
        ("features", None, "of the data"),
        ("workers", "1..4096", "a range, or one number"),
        ("rounds", str(ROUNDS), "of the whole fit"),
        ("ranks-per-node", None, "of the fullest node; default: as when the network was measured"),
        ("wait", None, "mean of an exponential delay of each worker, seconds; default: the measured jitter"),
        ("mode", None, "only this one"),
        ("algorithm", None, "only this one"),
        ("sums", "order-free", "or plain: half the bytes"),
    ):
        made.add_argument(f"--{name}", default=default, metavar=name.upper(), help=text)
    add_out(made, "folder for plan.json")
    made.add_argument("--explain", action="store_true", help="print the formulas with the numbers in them")
    made.add_quiet()
    return made


def main(words: Sequence[str]) -> int:
    """Plan, print, write."""
    from mpi_pgd.report.tables import study
    from mpi_pgd.study import records
    from mpi_pgd.study.explain import explain
    from mpi_pgd.study.plan import plan
    from mpi_pgd.study.record import claim, spare, write

    arguments = parser().read(words)
    if arguments.network is None:
        raise InputError(
            "plan was given no --network: expected the file that `mpirun -n N python -m mpi_pgd network --out DIR` wrote"
        )
    question = _question(arguments)
    path = Path(arguments.network)
    measured = records.read(str(path / "network.json" if path.is_dir() else path))
    with claim(arguments.out, "plan") if arguments.out else nullcontext() as claimed:
        if claimed:
            spare(arguments.out, "plan", arguments.force)
        found = plan(measured, question, told=not arguments.quiet)
        if not arguments.quiet:
            print(study(found))
        if arguments.explain:
            print("\n" + explain(measured, question))
        if claimed:
            write(claimed, {**found, **_origin(measured)})
    return 0


def _question(arguments: Any) -> Any:
    from mpi_pgd.study.plan import Question, workers_range

    for name in ("rows", "features"):
        if getattr(arguments, name) is None:
            raise InputError(f"plan was given no --{name}: expected the number of the data's {name}")
    for name in ("mode", "sums"):
        given, known = getattr(arguments, name), config.OPTIONS[name].metadata["choices"]
        if given is not None and given not in known:
            raise InputError(f"--{name} was given {given!r}{nearest(given, known, SYNONYMS)}: expected one of {', '.join(known)}")
    first, last = workers_range(arguments.workers)
    return Question(
        rows=number(arguments, "rows", int, least=1),
        features=number(arguments, "features", int, least=1),
        first=first,
        last=last,
        rounds=number(arguments, "rounds", int, least=1),
        ranks_per_node=None if arguments.ranks_per_node is None else number(arguments, "ranks-per-node", int, least=1),
        wait=None if arguments.wait is None else number(arguments, "wait", float, least=0),
        mode=arguments.mode,
        algorithm=arguments.algorithm,
        order_free=arguments.sums == "order-free",
    )


def _origin(measured: dict[str, Any]) -> dict[str, Any]:
    """The machine and the versions are those that the network was measured with; the command is this one."""
    from mpi_pgd.session import provenance

    return {"machine": measured.get("machine", {}), "versions": measured.get("versions", {}), "command": provenance.command(1)}
