"""Files that a command writes one by one: each whole, or not at all, by nobody else; and those that go again with the run."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mpi_pgd.errors import InputError
from mpi_pgd.system import output
from mpi_pgd.system.claims import Claim, abandoned

OTHER = "make room, or choose another place"


def of_file(flag: str, path: str | os.PathLike[str], *, again: bool = False) -> Claim:
    """The claim on one file alone, whose folder has to be there; what killed runs left beside it goes. See ``Claim``."""
    target = Path(path)
    if not os.path.isdir(target.parent):  # noqa: PTH112  (unlike Path.is_dir, no exception for names that are too long)
        raise InputError(f"{target} can't be written, as there is no folder {target.parent}: make it, or choose another")
    file = Path(os.path.realpath(target))
    return Claim(flag, file.parent, [file.name], f".{file.name}.lock", again=again)


@contextmanager
def told(what: object, advice: str = OTHER) -> Iterator[None]:
    """What the operating system says while ``what`` is written, as one sentence. Raises InputError."""
    try:
        yield
    except (OSError, RuntimeError) as error:
        if not output.number(error):
            raise
        raise InputError(f"{what} can't be written ({output.reason(error)}): {advice}") from error


@contextmanager
def passing(path: str, ending: str) -> Iterator[Path]:
    """A name for a file beside the one at ``path``, hidden: it goes at the end of this, and those that killed runs left go now."""
    beside = Path(path)
    stem = f".{beside.name}.{os.urandom(8).hex()}"
    with Claim(f"a file beside {path}", beside.parent, [], f"{stem}.lock") as claim:
        for lock in abandoned(claim, rf"\.{re.escape(beside.name)}\.[0-9a-f]+\.lock"):
            for left in (lock.with_suffix(ending), lock):
                left.unlink(missing_ok=True)
        made = beside.with_name(f"{stem}{ending}")
        try:
            yield made
        finally:
            with suppress(OSError):
                made.unlink(missing_ok=True)
