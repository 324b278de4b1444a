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

from mpi_pgd.cli import slurm
from mpi_pgd.cli.commands import COMMANDS, module, parser
from mpi_pgd.comm.world import lonely
from mpi_pgd.errors import InputError
from mpi_pgd.slurm.script import KINDS
from tests.launch import ROOT, Library, launch, libraries
from tests.thorough import plainly

README, DOCS = ROOT / "README.md", ROOT / "docs"
FIRST = [README, *(DOCS / f"{name}.md" for name in ("install", "data", "maps", "api", "faults"))]
PARTS = ROOT / "mpi_pgd" / "slurm" / "parts"
PAGES = [README, *sorted(DOCS.glob("*.md")), ROOT / "slurm" / "README.md"]
BLOCK = re.compile(r"`(\w+\.py)`[^`]*```python\n(.*?)```", re.DOTALL)  # the text before a block names its file
MPIRUN = re.compile(r"mpirun -n (\d+) (?:env/bin/)?python -m (mpi_pgd|mpi4py)\b(.*)")
PROGRAM = re.compile(r"(?:mpirun -n \d+ )?python -m mpi_pgd\b(.*)")
SBATCH = re.compile(r"sbatch .*\bslurm/(\w+)\.sbatch(.*)")
LEFT = re.compile(r"\b[A-Z]{3,}|ulfm")  # DATA and the like: what the reader puts in


def typed(text: str) -> Iterator[str]:
    """The lines to be typed: those of indented blocks, without what stands behind a #."""
    for line in re.findall(r"^    (\S.*)$", re.sub(r"```.*?```", "", text, flags=re.DOTALL), re.MULTILINE):
        command = line.partition("  #")[0].strip()
        if command.startswith(("mpirun ", "python ")) and not LEFT.search(command):
            yield command


@pytest.mark.beside("slurm")  # which leaves more time than the others
@pytest.mark.parametrize("page", plainly([README], FIRST), ids=lambda page: page.stem)
def test_what_a_page_says_works(page: Path, tmp_path: Path) -> None:
    """In one folder, in its order: what a line needs, lines before it have made."""
    text = page.read_text()
    if not libraries():
        pytest.skip("no MPI is here")
    if "import pandas" in text and find_spec("pandas") is None:
        pytest.skip("pandas is not installed")
    for path in ("data/diamonds.h5", "examples/houses.csv"):
        (tmp_path / path).parent.mkdir()
        shutil.copy(ROOT / path, tmp_path / path)
    blocks = BLOCK.findall(text)
    assert len(blocks) == text.count("```python")
    for name, block in blocks:
        (tmp_path / name).write_text(block)
    commands = list(typed(text))
    assert commands
    for command in commands:
        run(next(iter(libraries().values())), command, tmp_path)


def test_the_first_steps_are_the_examples() -> None:
    """So they are run with the page."""
    text, examples = README.read_text(), ROOT / "examples"
    shell = (examples / "houses.sh").read_text().replace('"$table"', "examples/houses.csv")
    five = [line for line in shell.splitlines() if "mpi_pgd" in line]
    assert len(five) == 5
    assert "".join(f"    {line}\n" for line in five) in text
    ten = (examples / "arrays.py").read_text().partition('"""\n\n')[2]
    assert len([line for line in ten.splitlines() if line]) == 10
    assert f"```python\n{ten}```" in text


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


@pytest.mark.parametrize("page", PAGES, ids=lambda page: f"{page.parent.name}-{page.stem}")
def test_flags_that_a_page_tells_to_type_are_there(page: Path) -> None:
    """Also where nothing can be run: nothing but the words is looked at."""
    for line in re.findall(r"^    (\S.*)$", page.read_text().replace("\\\n", ""), re.MULTILINE):
        command = line.partition("  #")[0].strip()
        if job := SBATCH.fullmatch(command):
            parser(KINDS[job[1]].program).read(shlex.split(job[2]))
        elif program := PROGRAM.fullmatch(command):
            read(shlex.split(program[1]))


def read(words: list[str]) -> None:
    """As the program does, without doing it."""
    name, *rest = words if words and words[0] in COMMANDS else ["fit", *words]
    if name == "slurm" and rest != ["launcher"]:
        slurm.parser(rest[0]).read(rest[1:])
    elif name == "study":
        module(name).read(rest)
    elif name != "slurm":
        parser(name, rest).read(rest[name == "data" :])


def test_sentences_of_the_program_are_its_own() -> None:
    """Those that the pages give as examples."""
    (flag,) = re.findall(r"^    mpi_pgd: (unknown flag (\S+) .*)", (DOCS / "faults.md").read_text(), re.MULTILINE)
    with pytest.raises(InputError) as raised:
        read([flag[1]])
    assert str(raised.value) == flag[0]
    alone = re.findall(r"^    mpi_pgd: (srun started .*)", (DOCS / "slurm.md").read_text(), re.MULTILINE)
    assert alone == [lonely({"SLURM_STEP_NUM_TASKS": "2"}, 1, "Open MPI")]


def test_the_log_of_a_chain_has_the_words_of_its_script() -> None:
    said = re.findall(r'\blog "(.*?)"', "".join(path.read_text() for path in PARTS.glob("*.sh")))
    known = [re.sub(r"\\\$\w+", ".*", re.escape(text)) for text in said]
    shown = re.findall(r"^    \[.*\] run \d: (.*)", (DOCS / "slurm.md").read_text(), re.MULTILINE)
    assert len(shown) >= 5
    assert [line for line in shown if not any(re.fullmatch(text, line) for text in known)] == []


def test_readme_is_read_in_one_sitting() -> None:
    assert len(README.read_text().splitlines()) <= 150


def test_readme_names_every_command() -> None:
    told = re.search(r"^## Commands\n(.*?)^## ", README.read_text(), re.MULTILINE | re.DOTALL)
    assert told
    heads = re.findall("^- (.*?):", told[1], re.MULTILINE)
    heads += re.findall("; (`[^`]+`(?:, `[^`]+`)*):", told[1])  # several in a line
    assert {name for head in heads for name in re.findall(r"`(\w+)", head)} == set(COMMANDS)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: f"{page.parent.name}-{page.stem}")
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if not target.startswith(("http", "#")):
            assert (page.parent / target.partition("#")[0]).exists(), target
