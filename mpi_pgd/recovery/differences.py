"""What a checkpoint is of, beside a run that would go on from it."""

import json
from collections.abc import Mapping
from typing import Any

from mpi_pgd import config
from mpi_pgd.modes import MODES
from mpi_pgd.recovery.checkpoint import Checkpoint

SHOWN = 60  # characters of a value that a sentence still shows


def differences(checkpoint: Checkpoint, settings: Mapping[str, Any], data: Mapping[str, Any]) -> list[str]:
    """What keeps a run from going on from it, as phrases; none: it can.

    Of the settings those are compared that decide a round's bits, of what identifies the data everything.
    """
    found = []
    for name in config.having("bits"):
        mine, theirs = settings.get(name), checkpoint.settings.get(name)
        if mine != theirs and {mine, theirs} != {config.AS_IS, config.WIDE}:
            found.append(f"{config.flag(name)} is {_shown(mine)}, the checkpoint has {_shown(theirs)}")
    mine, theirs = settings.get("mode"), checkpoint.settings.get("mode")
    if _mixes(mine) != _mixes(theirs):
        found.append(f"--mode is {mine}, the checkpoint has {theirs}, and one of them makes no sums over all ranks")
    for name in dict.fromkeys([*data, *checkpoint.data]):
        mine, theirs = data.get(name), checkpoint.data.get(name)
        if mine != theirs:
            found.append(_other_data(name, mine, theirs))
    return found


def _mixes(mode: Any) -> bool:
    """Whether it is a mode of peers with neighbours."""
    return mode in MODES and MODES[mode].neighbours


def _other_data(name: str, mine: Any, theirs: Any) -> str:
    if name in ("rows", "features"):
        return f"the data have {_shown(mine)} {name}, the checkpoint's {_shown(theirs)}"
    if max(len(_shown(mine)), len(_shown(theirs))) > SHOWN:
        return f"the {name} of the data is not the checkpoint's"
    return f"the {name} of the data is {_shown(mine)}, the checkpoint's {_shown(theirs)}"


def _shown(value: Any) -> str:
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    return value if isinstance(value, str) else json.dumps(value)
