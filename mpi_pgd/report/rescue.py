"""The coefficients of a fit whose result can't be made, or be written where it was to be."""

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def write(found: Mapping[str, Any]) -> str:
    """As JSON into a new file, in the working directory or else where temporary files go; the words that say where, or why not."""
    trouble = ""
    for folder in (".", tempfile.gettempdir()):
        name = ""
        try:
            handle, name = tempfile.mkstemp(".json", "mpi_pgd-fit-", Path(folder).resolve())
            with os.fdopen(handle, "w") as stream:
                stream.write(json.dumps(found) + "\n")
                stream.flush()
                os.fsync(stream.fileno())
        except OSError as error:
            trouble = error.strerror or str(error)
            if name:
                Path(name).unlink(missing_ok=True)
            continue
        return f"they are in {name}"
    return f"they are lost ({trouble}): give --checkpoint, and the next time they are not"
