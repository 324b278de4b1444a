"""Rows in an order that their number and a seed decide."""

import os
from functools import partial
from pathlib import Path

from mpi_pgd.data.hashes import Permutation
from mpi_pgd.data.placing import place
from mpi_pgd.data.rewritten import Watch, rewrite, tell
from mpi_pgd.data.shuffled import Shuffled
from mpi_pgd.data.table import Table


def shuffle(table: Table, out: str, seed: int, force: bool, watch: Watch) -> None:
    """Write the rows of a table of one file to ``out``: row i becomes row ``Permutation(rows, seed).forth(i)``.

    As much as the largest data set is on its way in a file without a name beside ``out``. Other arguments are as of ``split``.

    Raises:
        InputError: the file can't be written.
    """
    tell(table)
    source, folder = table.parts[0], Path(os.path.realpath(out)).parent
    order = Shuffled(Permutation(table.rows, seed), folder)
    made = f"data shuffle --seed {seed}: {Path(source.path).name}"
    content = partial(rewrite, table=table, order=order, made=made, watch=watch)
    place("data shuffle", [(out, content)], [stamp.path for stamp in source.files], force)
