"""Solvers as tests want them."""

from inspect import signature

from mpi_pgd.solvers import SOLVERS, Solver


def made(name: str, step: float | str = "auto", momentum: float = 0.5) -> Solver:
    """With those of the options that it has."""
    options = {"step": step, "momentum": momentum}
    return SOLVERS[name](**{option: options[option] for option in signature(SOLVERS[name]).parameters})
