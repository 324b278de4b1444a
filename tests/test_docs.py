"""What README and the first pages of docs tell people to type works, where it needs no cluster; and their links lead somewhere."""

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
from tests.launch import ROOT, Library, launch, libraries

README, DOCS = ROOT / "README.md", ROOT / "docs"
FIRST = [README, *(DOCS / f"{name}.md" for name in ("install", "data", "maps", "api", "faults"))]
PAGES = [README, *sorted(DOCS.glob("*.md")), ROOT / "slurm" / "README.md"]
BLOCK = re.compile(r"`(\w+\.py)`[^`]*```python\n(.*?)```", re.DOTALL)  # the text before a block names its file
MPIRUN = re.compile(r"mpirun -n (\d+) (?:env/bin/)?python -m (mpi_pgd|mpi4py)\b(.*)")
LEFT = re.compile(r"\b[A-Z]{3,}|ulfm")  # DATA and the like: what the reader puts in


def typed(text: str) -> Iterator[str]:
    """The lines to be typed: those of indented blocks, without what stands behind a #."""
    for line in re.findall(r"^    (\S.*)$", re.sub(r"```.*?```", "", text, flags=re.DOTALL), re.MULTILINE):
        command = line.partition("  #")[0].strip()
        if command.startswith(("mpirun ", "python ")) and not LEFT.search(command):
            yield command


@pytest.mark.parametrize("page", FIRST, ids=lambda page: page.stem)
def test_what_a_page_says_works(page: Path, tmp_path: Path) -> None:
    """In one folder, in its order: what a line needs, lines before it have made."""
    text = page.read_text()
    if not libraries():
        pytest.skip("no MPI is here")
    if "import pandas" in text and find_spec("pandas") is None:
        pytest.skip("pandas is not installed")
    (tmp_path / "data").mkdir()
    shutil.copy(ROOT / "data" / "diamonds.h5", tmp_path / "data")
    blocks = BLOCK.findall(text)
    assert len(blocks) == text.count("```python")
    for name, block in blocks:
        (tmp_path / name).write_text(block)
    commands = list(typed(text))
    assert commands
    for command in commands:
        run(next(iter(libraries().values())), command, tmp_path)


def run(library: Library, command: str, folder: Path) -> None:
    parts = MPIRUN.match(command)
    if parts:
        result = launch(library, int(parts[1]), *shlex.split(parts[3]), module=parts[2], cwd=folder, timeout=120)
        assert result.returncode == 0, result
        return
    words = [library.python, *shlex.split(command)[1:]]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, (command, done.stderr)


def test_readme_is_read_in_one_sitting() -> None:
    assert len(README.read_text().splitlines()) <= 150


def test_readme_names_every_command() -> None:
    told = re.search(r"^## Commands\n(.*?)^## ", README.read_text(), re.MULTILINE | re.DOTALL)
    assert told
    heads = re.findall("^- (.*?):", told[1], re.MULTILINE)
    assert {name for head in heads for name in re.findall(r"`(\w+)", head)} == set(COMMANDS)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: f"{page.parent.name}-{page.stem}")
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if not target.startswith(("http", "#")):
            assert (page.parent / target.partition("#")[0]).exists(), target
