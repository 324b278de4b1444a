"""``data check``."""

import json
from typing import Any

from mpi_pgd.cli.arguments import Parser
from mpi_pgd.cli.data.rows import add_names, table_of
from mpi_pgd.config import ROWS


def parser() -> Parser:
    """Its flags."""
    made = Parser(
        "python -m mpi_pgd data check FILE ... [--json] [options]",
        "Say what columns are like, and what may be wrong: missing values, constants, columns and rows that repeat others,\n"
        "correlations, features that tell the target. Exit code 0, whatever is found.",
    )
    made.add_argument("files", nargs="+", metavar="FILE", help=ROWS)
    made.add_argument("--json", action="store_true", help="print the record, with all columns, as JSON")
    add_names(made)
    return made


def run(arguments: Any) -> int:
    """Print what was found."""
    from mpi_pgd.data.check import check
    from mpi_pgd.report.checked import text
    from mpi_pgd.report.progress import steps
    from mpi_pgd.system.output import readable

    table = table_of(arguments.files, arguments)
    record = check(table, lambda slabs: steps("slab", slabs, not arguments.quiet))
    print(json.dumps(readable(record), indent=1, allow_nan=False) if arguments.json else text(record))
    return 0
