"""How strong our penalties have to be for another program's model: by the table in docs/models.md, and so a test of it."""

import re

from tests.launch import ROOT


def strengths(program: str, model: str, **named: float) -> dict[str, float]:
    """``l2`` and ``l1``.

    Args:
        program: as the table's row begins.
        model: one of those that the row names.
        named: what its formulas contain.
    """
    for line in (ROOT / "docs/models.md").read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if cells[0].startswith(f"{program} ") and f"`{model}`" in cells[0]:
            l2, l1 = (float(eval(re.fullmatch("`(.*)`", cell)[1], {}, named)) for cell in cells[1:3])  # type: ignore[index]
            return {"l2": l2, "l1": l1}
    raise LookupError(f"docs/models.md has no strengths of {program}'s {model}")
