"""What a record says of where it came from."""

import shlex
import sys

import pytest

from mpi_pgd.session.provenance import command, machine

TYPED = ["/usr/bin/python3", "-m", "mpi_pgd", "my rows.h5", "--x", "$X", "it's"]


@pytest.mark.parametrize(("ranks", "launcher"), [(1, []), (4, ["mpirun", "-n", "4"])])
def test_a_shell_reads_the_command_as_it_was_typed(ranks: int, launcher: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "orig_argv", TYPED)
    assert shlex.split(command(ranks)) == [*launcher, "python3", *TYPED[1:]]


def test_ranks_are_counted_by_node_in_their_order() -> None:
    assert list(machine(["b", "a", "b", "a", "b"])["hosts"].items()) == [("b", 3), ("a", 2)]
