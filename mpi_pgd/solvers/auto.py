"""The solver that suits a problem best, by its facts."""

from dataclasses import dataclass

from mpi_pgd.solvers.diffusion import ExactDiffusion
from mpi_pgd.solvers.lbfgs import LBFGS
from mpi_pgd.solvers.nesterov import Nesterov
from mpi_pgd.solvers.newton import Newton
from mpi_pgd.solvers.suit import Choice, Facts, Unsuited

FEW = 25  # unknowns: so few that the Hessian over all rows costs hardly more than the gradient


@dataclass(frozen=True)
class Auto(Unsuited):
    """No solver by itself: it chooses one of the others.

    What is chosen was the fastest of all on such problems, from the rows in memory to the weights (``benchmarks/solvers.py``).
    """

    def suited(self, facts: Facts) -> Choice:
        """The best one."""
        if facts.neighbours:
            step = facts.step or "auto"
            return _chosen(
                ExactDiffusion(step), facts, "exact-diffusion", "peers that mix with their neighbours get to the optimum"
            )
        if facts.step:
            return _chosen(Nesterov(facts.step), facts, "nesterov", "a step was given")
        if facts.endless and facts.smooth:
            return _chosen(Nesterov(), facts, "nesterov", "--tol 0 asks for all rounds")
        if not facts.smooth:
            return _chosen(Newton(), facts, "newton", "the penalty is not smooth: few weights will matter")
        if facts.quadratic:
            if facts.matrix:
                further = "" if facts.loose else ", refined to the last digit"
                return _chosen(Newton(), facts, "newton", f"least squares: X'X in one pass{further}")
            return _chosen(LBFGS(), facts, "lbfgs", f"X'X would have {facts.size:,} x {facts.size:,} numbers")
        if not facts.hessians:
            return _chosen(LBFGS(), facts, "lbfgs", "a model that gives no second derivatives")
        if facts.size <= FEW:
            return _chosen(Newton(), facts, "newton", f"the Hessian has but {facts.size} x {facts.size} numbers")
        if facts.sampled:
            return _chosen(LBFGS(), facts, "lbfgs", "in the metric of a sample's Hessian")
        return _chosen(LBFGS(), facts, "lbfgs", f"a Hessian would have {facts.size:,} x {facts.size:,} numbers")


def _chosen(solver: ExactDiffusion | Nesterov | Newton | LBFGS, facts: Facts, name: str, reason: str) -> Choice:
    return solver.suited(facts)._replace(name=name, reason=reason)
