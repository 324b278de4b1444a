"""The kernel on other processors, and under the sanitizers: a C program without Python, compiled and run."""

import platform
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from pathlib import Path

import pytest

from mpi_pgd.kernel import NAME, NUMPY
from tests.launch import ROOT, required

if NAME == NUMPY:
    assert "kernel" not in required(), "no compiled kernel here (MPI_PGD_REQUIRE asks for it)"
    pytest.skip("no compiled kernel here", allow_module_level=True)
from mpi_pgd.kernel import native

pytestmark = [pytest.mark.beside("programs"), pytest.mark.thorough]

SOURCE = ROOT / "mpi_pgd" / "kernel" / "source"
FLAGS = ["-std=c11", "-Og", "-ffp-contract=off", "-fno-math-errno", "-Wall", "-Wextra", "-Werror"]
# What looks at addresses is called, not put into every place, which takes less time to compile.
SANITIZED = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "--param=asan-instrumentation-with-call-threshold=0"]
SETS = ["baseline", "avx2", "avx512"]
ALIKE = "decimals"  # compiled once, as it is whole numbers alone

Build = Callable[..., Path]


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Build:
    """Compiles the program, once for each compiler and its flags; all its files at once, but those that are ``there``."""
    made: dict[tuple[str, ...], Path] = {}

    def built(compiler: str, *flags: str, sets: Mapping[str, Sequence[str]] = {}, there: Sequence[Path] = ()) -> Path:
        if shutil.which(compiler) is None:
            (pytest.fail if compiler in required() else pytest.skip)(f"no {compiler} here")
        key = (compiler, *flags, *sets)
        if key not in made:
            folder = tmp_path_factory.mktemp("kernel")
            files = {
                Path(__file__).with_name("program.c"): (),
                **{SOURCE / f"{name}.c": sets.get(name, ()) for name in (*SETS, ALIKE)},
            }
            files = {file: more for file, more in files.items() if file.stem not in {part.stem for part in there}}
            start = [compiler, *FLAGS, *flags, f"-I{SOURCE}"]
            parts = [([*start, *more, "-c", str(file), "-o"], folder / f"{file.stem}.o") for file, more in files.items()]
            running = [subprocess.Popen([*command, str(part)], stderr=subprocess.PIPE, text=True) for command, part in parts]
            for process in running:
                assert not process.communicate(timeout=240)[1]
            link = [
                compiler,
                *flags,
                *chain(*sets.values()),
                *map(str, (*(part for _, part in parts), *there)),
                "-lm",
                "-o",
                str(folder / "program"),
            ]
            subprocess.run(link, check=True, timeout=60)
            made[key] = folder / "program"
        return made[key]

    return built


def output(*command: str | Path) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, ""), done
    return done.stdout


def test_instruction_sets_agree(build: Build) -> None:
    program = build("gcc")
    found = {name: output(program, name) for name in native.names()}
    assert len({*found.values()}) == 1, found
    assert len(found["baseline"].splitlines()) > 10


@pytest.mark.skipif(platform.machine() == "aarch64", reason="the other tests are on that processor")
def test_aarch64(build: Build) -> None:
    if shutil.which("qemu-aarch64") is None:
        (pytest.fail if "qemu-aarch64" in required() else pytest.skip)("no qemu-aarch64 here")
    program = build("aarch64-linux-gnu-gcc", "-static")
    assert output("qemu-aarch64", program) == output(build("gcc"), "baseline")


def test_sanitizers(build: Build) -> None:
    """Of one instruction set: the sources are the same for all, and so are the places that they read."""
    plain = build("gcc")
    others = [plain.with_name(f"{name}.o") for name in SETS[1:]]
    program = build("gcc", sets={"baseline": SANITIZED, ALIKE: SANITIZED}, there=others)
    assert output(program, "baseline") == output(plain, "baseline")
