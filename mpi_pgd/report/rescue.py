"""The coefficients of a fit whose result can't be made, or be written where it was to be."""

import json
import secrets
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mpi_pgd.system import output


def write(found: Mapping[str, Any]) -> str:
    """As JSON into a new file, in the working directory or else where temporary files go; the words that say where, or why not."""
    trouble = ""
    for folder in (".", tempfile.gettempdir()):
        try:
            path = Path(folder).resolve() / f"mpi_pgd-fit-{secrets.token_hex(4)}.json"
            output.replace({path: output.text(json.dumps(found) + "\n")})
        except OSError as error:
            trouble = error.strerror or str(error)
            continue
        return f"they are in {path}"
    return f"they are lost ({trouble}): give --checkpoint, and the next time they are not"
