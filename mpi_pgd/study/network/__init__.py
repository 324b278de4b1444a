"""``network``: latency and bandwidth, for ``plan``."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from mpi_pgd.errors import InputError
from mpi_pgd.report import units
from mpi_pgd.report.export import MOST, Column, Table
from mpi_pgd.report.kinds import mark
from mpi_pgd.report.records import study
from mpi_pgd.report.shapes import Record, Shape, check, damaged, fields
from mpi_pgd.report.theme import Picture
from mpi_pgd.study.network import pictures
from mpi_pgd.study.paces import Paces
from mpi_pgd.study.pieces import LINKS, SHAPES, admitted
from mpi_pgd.study.study import Flag, Study

if TYPE_CHECKING:
    from mpi4py import MPI

_WAY = fields(text="link mode? algorithm?")
# Beyond what a report needs: all that the cost model is made of.
_POINT = {"ranks": "whole from 2", "bytes": "whole from 1", "seconds": "number above 0"}
_SPEED = {"bytes_per_second": "number above 0"}
_AT_WORK = {"ranks": "number above 0", **_SPEED}
_PACE = {
    **dict.fromkeys(("ranks", "features", "bytes"), "whole from 1"),
    **{"seconds": "number above 0", "wait_seconds": "number from 0", "update_seconds": "number from 0"},
}
NEEDED = {
    "rows": [_POINT],
    "sums?": [_POINT],
    "rounds?": [{**_POINT, "broadcast": "whole from 0"}],
    "fits": [{"form": "text", **dict.fromkeys(("alpha", "overhead", "beta"), "number from 0")}],
    "nodes": {"*": "number above 0"},
    "compute": {**_SPEED, "together": _AT_WORK, "at_work?": [_AT_WORK], "paces?": [_PACE], "*": "number from 0"}
    | {"lengths?": [{"features": "whole from 1", **_SPEED}]},
}


class Network(Study):
    """Ping-pongs, every collective, and how fast a rank maps rows."""

    title, lead, formulas = "The network", 4, ("cost",)
    shape: ClassVar[Shape] = {
        "rows": [
            {**fields(text="kind", whole="ranks wrong?", number="residual?"), **_WAY}
            | dict.fromkeys(("bytes", "seconds", "low?", "high?", "fitted_seconds?", "bus_bytes_per_second?"), "number above 0")
        ],
        "fits?": [
            fields(number="alpha alpha_low? alpha_high? beta beta_low? beta_high? overhead? rms_residual? points? from_bytes?")
            | _WAY,
        ],
        "compute?": {
            **fields(number="bytes_per_second? jitter_seconds?"),
            "together?": fields(whole="ranks", number="bytes_per_second"),
        },
    }
    usage = "mpirun -n N python -m mpi_pgd network [--out DIR] [--largest BYTES]"
    description = (
        "Measure latency and bandwidth within a node and between nodes: ping-pongs, every collective of all modes, and exchanges\n"
        "with neighbours on every graph, on 2, 3, 4, 8 ... N ranks, from 8 bytes on; and how fast a rank maps rows. Takes some 20\n"
        "seconds within a node. DIR/network.json is what plan reads."
    )
    flags = (Flag("largest", str(64 << 20), "BYTES", "message (default: 64 MiB)", int, 64),)
    settings, out = (), "folder for network.json"

    def run(self, comm: "MPI.Intracomm", given: Mapping[str, Any], start: float) -> int:
        """Measure, print and write; there is no problem. Collective."""
        from mpi_pgd.comm.world import agreement, nodes
        from mpi_pgd.session.inspect import warn
        from mpi_pgd.session.run import one_thread
        from mpi_pgd.study.network.measure import measure
        from mpi_pgd.study.record import envelope, spare
        from mpi_pgd.study.running import claimed, finish

        with claimed(self, comm, given) as claim:
            with agreement(comm):
                if claim:
                    spare(given["out"], self.name, given["force"])
            names = nodes(comm)
            warn(comm, names)
            with one_thread():
                found = measure(comm, largest=given["largest"], shown=comm.rank == 0 and not given["quiet"])
            return finish(self, comm, found and envelope(self.name, names, **found), claim, given["quiet"])

    def sentence(self, record: Record) -> str:
        """Latency and bandwidth by the ping-pongs."""
        found = []
        for fit in [fit for fit in record.get("fits") or [] if not fit.get("mode")]:
            pace = f"bandwidth {units.rate(1 / fit['beta'])}" if fit["beta"] > 0 else "no cost of bytes at these sizes"
            found.append(f"{pictures.link_name(fit['link'])}: latency {units.seconds(fit['alpha'])}, {pace}")
        return f"{'; '.join(found)}." if found else next(iter(record.get("notes") or []), "No ping-pong was measured.")

    def facts(self, record: Record) -> list[tuple[str, str]]:
        """How fast rows are mapped."""
        compute = record.get("compute") or {}
        together, found = compute.get("together"), []
        if compute.get("bytes_per_second"):
            found.append(("one rank alone reads", units.rate(compute["bytes_per_second"])))
        if together:
            found.append((f"each of {together['ranks']} at work reads", units.rate(together["bytes_per_second"])))
        if compute.get("jitter_seconds") is not None:
            found.append(("jitter", units.seconds(compute["jitter_seconds"])))
        return found

    figures = facts

    def tables(self, record: Record) -> list[Table]:
        """What was fitted, and all that was measured."""
        link = (Column("link", "Link"), Column("mode", "Mode"), Column("algorithm", "Algorithm"))
        overhead = any(fit.get("overhead") for fit in record.get("fits") or [])
        fits = (
            *link,
            Column("form", "Grows as"),
            Column("from_bytes", "From", "bytes"),
            Column("alpha", "Latency α", "latency"),
            Column("alpha_low", "from", "latency"),
            Column("alpha_high", "to", "latency"),
            Column("bandwidth", "Bandwidth 1/β", "rate", "beta"),
            Column("bandwidth_low", "from", "rate", "beta"),
            Column("bandwidth_high", "to", "rate", "beta"),
            *([Column("overhead", "Overhead", "latency")] if overhead else []),
            Column("rms_residual", "Residual, rms", "percent"),
            Column("points", "Points", "count"),
        )
        rows = (
            Column("kind", "Kind"),
            *link,
            Column("ranks", "Ranks", "count"),
            Column("bytes", "Message", "bytes"),
            Column("seconds", "Median", "seconds"),
            Column("low", "Lower quartile", "seconds"),
            Column("high", "Upper quartile", "seconds"),
            Column("bus_bytes_per_second", "Bus bandwidth", "rate"),
            Column("wrong", "Wrong", "count"),
            Column("fitted_seconds", "Fitted", "seconds"),
            Column("residual", "Residual", "error"),
        )
        lines = [_bandwidth(fit) for fit in record.get("fits") or []]
        title = "The fitted α of a message and β of a byte, with confidence intervals"
        every = Table("network-measured", "All measurements", rows, record["rows"], mark(record), folded=len(record["rows"]) > MOST)
        return [*([Table("network-fits", title, fits, lines)] if lines else []), every]

    def pictures(self, record: Record) -> list[Picture]:
        """Ping-pongs, collectives, exchanges with neighbours."""
        return pictures.network(record)


def read(path: str) -> dict[str, Any]:
    """The content of a network.json, or of that in a folder, for the cost model. Raises InputError: it can't be read, or used."""
    file, network = Path(path), Network()
    file = file / f"{network.name}.json" if file.is_dir() else file
    try:
        record = study(file, network)
        check(file, record, NEEDED)
        if not Paces.of(record["compute"]).sound:
            damaged(file, "compute", "of the same sizes for each number of ranks, one alone among these")
        for name in ("rows", "sums", "fits"):
            for place, one in enumerate(record.get(name) or []):
                forms = [shape.name for shape in SHAPES.get((one.get("mode"), str(one.get("algorithm"))), ())]
                if one.get("link") not in LINKS or not forms or one.get("form", forms[0]) not in forms:
                    damaged(file, f"{name}[{place}]", "of a link, a mode, an algorithm and a form that there are")
                if "ranks" in one and not admitted(one):
                    damaged(file, f"{name}[{place}]", "of a graph that so many ranks have")
    except InputError as error:
        command = "mpirun -n N python -m mpi_pgd network --out DIR"
        raise InputError(f"{error}; expected a network.json, which `{command}` makes") from None
    return dict(record)


def _bandwidth(fit: Record) -> dict[str, Any]:
    """β in seconds a byte says little to a person: its reciprocal does, whose interval is turned round."""
    turned = {"bandwidth": "beta", "bandwidth_low": "beta_high", "bandwidth_high": "beta_low"}
    return {**fit, **{name: 1 / fit[key] if (fit.get(key) or 0) > 0 else None for name, key in turned.items()}}
