"""How many rounds peers with neighbours need, beside those that sum over all rows: predicted, from the graph's spectral gap.

Gradient descent with a step of 1/L leaves 1 - 1/kappa of its slowest error a round. So does exact diffusion of the peers' mean. Of
what they disagree by, along an eigenvector of (I + W)/2 with the eigenvalue lambda, it leaves z a round, with

    z^2 = lambda ((2 - h) z - (1 - h)),  for a curvature h L, if all peers' Hessians are alike:

at most lambda, as it does at h = 1, so at most 1 - gap/2; or sqrt(lambda (1 - h)), which lies between that and 1 - h. Whatever is
slower counts. R rounds, which are taken to bring the objective to 1e-6 of what is to be gained, become

    R max(1, 2 / (kappa gap)),  kappa = 2 R / ln(1/1e-6).

Then every peer is there; their mean may be long before. It leaves out that peers whose rows differ in their curvature all take the
shortest of their steps. (The method: K. Yuan, B. Ying, X. Zhao, A. Sayed, "Exact Diffusion for Distributed Optimization and
Learning", IEEE Transactions on Signal Processing 67, 2019.)
"""

import math
from functools import cache

from mpi_pgd.comm.graphs import GRAPHS
from mpi_pgd.modes import MODES, WAYS

WITHIN = 1e-6  # of what is to be gained
ROUNDS = 100  # that are taken to get there, unless said otherwise
NOTE = (
    "how many rounds peers with neighbours need is predicted from the graph's spectral gap, beside those of gradient descent; with "
    "sums over all rows other solvers may need far fewer"
)
PRICED = "the network file has no round of peers with neighbours: it is priced as messages between two ranks"


@cache
def gap(name: str, ranks: int) -> float:
    """Of a named graph."""
    return GRAPHS[name].of(ranks).gap


def condition(rounds: int | None) -> float:
    """Kappa of a problem that takes gradient descent so many rounds."""
    return 2 * (rounds or ROUNDS) / -math.log(WITHIN)


def times(mode: str, algorithm: str, ranks: int, rounds: int | None) -> float:
    """How many times as many rounds as with sums over all rows; inf where there is no such graph of so many ranks."""
    if not MODES[mode].neighbours or ranks == 1:
        return 1.0
    if not WAYS[mode, algorithm].admits(ranks):
        return math.inf
    return max(1.0, 2 / (condition(rounds) * gap(algorithm, ranks)))
