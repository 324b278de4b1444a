"""What README and the first pages of docs tell people to type is typed here, where it needs no cluster; and their links lead somewhere."""

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from mpi_pgd.cli.commands import COMMANDS
from tests.launch import ROOT, Library, launch

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), ROOT / "CONTRIBUTING.md", ROOT / "slurm" / "README.md"]
RUN = ("README.md", "data.md", "api.md", "faults.md")  # the commands of these
MPIRUN = re.compile(r"mpirun -n (\d+) python -m (mpi_pgd|mpi4py)\b(.*)")
LEFT = re.compile(r"[A-Z]{3,}|\$|ulfm")  # DATA, DIR and the like: what the reader puts in


def texts() -> dict[str, str]:
    return {path.name: path.read_text() for path in PAGES if path.name in RUN and path.parent.name != "slurm"}


def typed(text: str) -> Iterator[str]:
    """The lines to be typed: indented blocks, without what stands behind a #."""
    for line in re.findall(r"^    (\S.*)$", re.sub(r"```.*?```", "", text, flags=re.DOTALL), re.MULTILINE):
        command = line.partition("  #")[0].strip()
        if command.startswith(("mpirun", "python", "mpi_pgd")) and not LEFT.search(command):
            yield command


def test_readme_is_read_in_one_sitting() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150


def test_readme_names_every_command() -> None:
    told = re.search(r"^## Commands\n(.*?)^## ", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    assert told
    assert set(COMMANDS) == {name for line in told[1].splitlines() if line[:1] == "-" for name in re.findall(r"`(\w+)", line.split(":")[0])}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    text = page.read_text()
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if not target.startswith(("http", "#")):
            base = ROOT if page.name == "CONTRIBUTING.md" else page.parent
            assert (base / target.partition("#")[0]).exists(), target


def test_what_readme_and_the_first_pages_say_works(library: Library, tmp_path: Path) -> None:
    """In one folder, in their order, with the least rounds: what a line needs, lines before it have made."""
    if find_spec("pandas") is None:
        pytest.skip("pandas is not installed, and README begins with one of its tables")
    if library.name != "mpich":
        pytest.skip("one library will do")
    (tmp_path / "data").mkdir()
    shutil.copy(ROOT / "data" / "diamonds.h5", tmp_path / "data")
    ran = 0
    for text in texts().values():
        names = re.findall(r"\(`(\w+\.py)`", text) or ["script.py", "table.py"]
        blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
        for name, block in zip(names, blocks, strict=False):
            (tmp_path / name).write_text(block)
        if "pd." in "".join(blocks) and "README" not in text[:10]:
            pass
        for command in typed(text):
            run(library, command, tmp_path)
            ran += 1
    assert ran > 10


def run(library: Library, command: str, folder: Path) -> None:
    parts = MPIRUN.match(command)
    if parts:
        words = shlex.split(parts[3])
        result = launch(library, int(parts[1]), *words, module=parts[2], cwd=folder, timeout=120)
        assert result.returncode == 0, result
        return
    words = [library.python, *shlex.split(command)[1:]]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, (command, done.stderr)
