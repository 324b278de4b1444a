"""What the plain `python -m pytest` needs to run the package under real mpiruns; see tests/launch.py."""

from pathlib import Path

import pytest

from tests.launch import NAMES, Library, libraries, required

INSIDE = Path(__file__).parent / "mpi"


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave tests/mpi to the ranks that tests/test_inside_mpi.py starts: here, importing them would start MPI."""
    with_mpi = config.getoption("--with-mpi", default=False) or config.getoption("--only-mpi", default=False)
    inside = INSIDE in (collection_path, *collection_path.parents)
    return True if inside and not with_mpi else None


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run every test that takes a `library` with MPICH, with Open MPI, and with any other MPI that is there."""
    if "library" in metafunc.fixturenames:
        asked = [name for name in required() if name in NAMES.values()]  # the rest are programs, for the tests that need them
        names = dict.fromkeys(["mpich", "openmpi", *asked, *libraries()])
        metafunc.parametrize("library", names, indirect=True, scope="session")


@pytest.fixture(scope="session")
def library(request: pytest.FixtureRequest) -> Library:
    """An MPI library, for launch(); the test is skipped without it, or fails if MPI_PGD_REQUIRE names it."""
    name = request.param
    if name in libraries():
        return libraries()[name]
    reason = f"no environment with {name} here: `make test` makes them, or name its python in MPI_PGD_PYTHONS"
    if name in required():
        pytest.fail(f"{reason} (MPI_PGD_REQUIRE asks for it)", pytrace=False)
    pytest.skip(reason)
