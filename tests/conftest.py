"""What the plain `python -m pytest` needs to run the package under real mpiruns; see tests/launch.py, inside.py and beside.py."""

import gc
import os
import signal
import sys
from pathlib import Path
from typing import Any
from zlib import crc32

import mpi4py
import pytest

from tests.beside import Alone, Beside, there
from tests.inside import Gathering, Inside, Outside, inside, places
from tests.launch import NAMES, Library, libraries, required

mpi4py.rc.initialize = inside()  # elsewhere, modules that import mpi4py.MPI may be tested, too


def pytest_configure(config: pytest.Config) -> None:
    gc.disable()  # until all tests are collected
    # Some machines set it. Hundreds of processes start from here, and each would compile all that it imports, and these tests.
    if os.environ.pop("PYTHONDONTWRITEBYTECODE", ""):
        sys.dont_write_bytecode = False
    config.addinivalue_line("markers", "ranks(*sizes, others=(), libraries=[], rarely=()): what a test which takes `comm` runs on")
    config.addinivalue_line("markers", "either: what a test which takes `library` asserts depends on none: one of them by turns")
    config.addinivalue_line("markers", "thorough: takes long; runs if its file is named, by -m thorough, or with MPI_PGD_EVERY=1")
    config.addinivalue_line(
        "markers", "beside(name): a test that waits for programs: it runs in a pytest of this name, beside the others"
    )
    if inside():
        config.pluginmanager.register(ranks := Inside(config), "ranks")
        config.pluginmanager.register(Gathering(ranks))
    else:
        if not there():
            config.pluginmanager.register(Outside(config), "ranks")
        config.pluginmanager.register(Alone() if there() else Beside(config), "beside")
        # As SIGINT, which may be ignored, as in what a shell starts with &: the jobs of the tests are ended first.
        signal.signal(signal.SIGTERM, signal.default_int_handler)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is thorough where all tests are asked for."""
    named = config.args_source is pytest.Config.ArgsSource.ARGS
    if named or config.option.markexpr or "MPI_PGD_EVERY" in os.environ:
        return
    thorough = [item for item in items if item.get_closest_marker("thorough")]
    config.hook.pytest_deselected(items=thorough)
    items[:] = [item for item in items if item not in thorough]


def pytest_collection_finish() -> None:
    """Tests stay until the end, thousands of objects: the collector, which looked through them time and again, never does."""
    gc.enable()
    gc.freeze()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run every test that takes a `library`, or a `comm`, with MPICH, with Open MPI, and with any other MPI that is there."""
    names = known(metafunc.config)
    there = names if inside() else [name for name in names if name in libraries()] or names
    if "library" in metafunc.fixturenames:
        one = there[crc32(metafunc.function.__name__.encode()) % len(there)]
        chosen = [one] if metafunc.definition.get_closest_marker("either") else names
        metafunc.parametrize("library", chosen, indirect=True, scope="session")
    if "comm" in metafunc.fixturenames:
        metafunc.parametrize("comm", places(metafunc, names, there), indirect=True)


def known(config: pytest.Config) -> list[str]:
    """The libraries to test with, whether they are there or not; inside, that of the ranks."""
    if inside():
        return [config.pluginmanager.get_plugin("ranks").library]
    asked = [name for name in required() if name in NAMES.values()]  # the rest are programs, for the tests that need them
    return list(dict.fromkeys(["mpich", "openmpi", *asked, *libraries()]))


@pytest.fixture(scope="session")
def library(request: pytest.FixtureRequest) -> Library:
    """An MPI library, for launch(); the test is skipped without it, or fails if MPI_PGD_REQUIRE names it."""
    return available(request.param)


@pytest.fixture
def comm(request: pytest.FixtureRequest) -> Any:
    """The communicator of the ranks that a test runs on."""
    if not inside():
        available(request.param[0])
    return request.config.pluginmanager.get_plugin("ranks").comm


@pytest.fixture
def folder(comm: Any, tmp_path: Path) -> Path:
    """A folder of all ranks."""
    return Path(comm.bcast(str(tmp_path)))


def available(name: str) -> Library:
    if name in libraries():
        return libraries()[name]
    reason = f"no environment with {name} here: `make test` makes them, or name its python in MPI_PGD_PYTHONS"
    if name in required():
        pytest.fail(f"{reason} (MPI_PGD_REQUIRE asks for it)", pytrace=False)
    pytest.skip(reason)
