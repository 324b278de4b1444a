"""What the environment settles before MPI starts: who is a rank, and which collectives Open MPI may choose where one is lost."""

import os
import socket
from pathlib import Path

import pytest

from mpi_pgd.comm import components
from mpi_pgd.comm.components import COLL, FILES, ULFM, choose, intolerant
from tests.hosts import Hosts, unavailable
from tests.launch import ROOT, Library

pytestmark = pytest.mark.beside("programs")

ON = {ULFM: "1", "OPAL_PREFIX": "/nowhere"}


def test_a_process_that_a_rank_has_started_is_none() -> None:
    """A rank's wire is open, and its job new to it; what a rank starts has its variables, and neither."""
    mine = {"PATH": "/bin", "OMPI_MCA_coll": "^han"}
    ours, theirs = socket.socketpair()
    with ours, theirs, Path(os.devnull).open() as other:
        for wire, left in ((ours.fileno(), True), (other.fileno(), False), ("x", False), (1 << 20, False)):
            environment = mine | {"PMI_FD": str(wire), "PMI_RANK": "1"}
            components.apart(environment)
            assert ("PMI_RANK" in environment) == ("PMI_FD" in environment) == left
    environment = mine | {"PMIX_NAMESPACE": "job@1", "OMPI_COMM_WORLD_RANK": "1"}
    for name, left in (("job@1", True), ("job@1", True), ("job@2", True), ("job@2", True)):
        environment["PMIX_NAMESPACE"] = name
        components.apart(environment)
        assert ("OMPI_COMM_WORLD_RANK" in environment) == left
    environment["MPI_PGD_RANK"] = "job@2 0"
    components.apart(environment)
    assert environment == mine | {"MPI_PGD_RANK": "job@2 0"}


def test_chosen_where_ranks_may_be_lost() -> None:
    environment = dict(ON)
    assert "han" in intolerant(environment)
    choose(environment)
    assert environment[COLL].startswith("^")
    assert {"han", "adapt", "cuda", "hcoll"} <= {*environment[COLL][1:].split(",")}
    assert intolerant(environment) == ""


def test_nothing_is_changed_elsewhere() -> None:
    for environment in ({}, {ULFM: "0"}, {COLL: "han"}):
        given = dict(environment)
        choose(given)
        assert given == environment
        assert intolerant(given) == ""


@pytest.mark.parametrize(
    ("value", "bad"),
    [
        ("^han,adapt,cuda", []),
        ("^ cuda, han,adapt,hcoll", []),
        ("basic,libnbc,self,tuned,ftagree", []),
        ("^han", ["adapt", "cuda"]),
        ("^hcoll", ["adapt", "cuda", "han"]),
        ("han,basic,self", ["han"]),
        ("tuned,hcoll", ["hcoll"]),
        ("", ["adapt", "cuda", "han"]),
    ],
)
@pytest.mark.parametrize("place", ["variable", "file", "site"])
def test_the_users_choice_is_left_alone_and_judged(value: str, bad: list[str], place: str, tmp_path: Path) -> None:
    conf = tmp_path / "etc/openmpi-mca-params.conf"
    conf.parent.mkdir()
    conf.write_text(f"# coll = tuned\ncoll_x = 3\n coll = {value}\n")
    where = {"variable": {COLL: value}, "file": {FILES: f"/none,{conf}"}, "site": {"OPAL_PREFIX": str(tmp_path)}}[place]
    environment = {**ON, **where}
    assert all(f" {name}" in intolerant(environment) for name in bad)
    assert (intolerant(environment) == "") == (not bad)
    if value:
        choose(environment)
        assert environment == {**ON, **where}


SCRIPT = """
import logging
from mpi4py import MPI
from mpi_pgd import fit

logging.basicConfig(format="%(name)s: %(message)s")
assert fit({data!r}, rounds=3).record["ranks"] == 4
"""


@pytest.mark.skipif(bool(unavailable()), reason=unavailable())
def test_a_fit_from_python_where_mpi_has_started_warns(library: Library, tmp_path: Path) -> None:
    if library.name != "openmpi":
        pytest.skip("only Open MPI survives a loss")
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.format(data=str(ROOT / "data/diamonds.h5")))
    with Hosts(2) as hosts:
        result = hosts.mpirun(library, 4, script=script, flags=("--with-ft", "ulfm"))
        assert result.returncode == 0, result
        assert result.stderr.count("mpi_pgd: ULFM is on, but Open MPI may choose the collectives adapt, cuda, han") == 1, result
        result = hosts.mpirun(library, 4, "doctor", flags=("--with-ft", "ulfm", "--mca", "coll", "^cuda"))
        assert "Open MPI may choose the collectives adapt, han" in result.stdout, result
