"""Rounds with the learnt step against rounds with the exact 1/L, over random spectra.

    python benchmarks/steps.py [SPECTRA] [SEED]

No rank and no row is needed: in exact arithmetic the rounds of a least squares problem depend on the eigenvalues of its Hessian and
on the optimum in their directions alone. The solvers and the steps are the program's own. Prints, for each solver, how many
never ended, and the ratios of the rounds; names each spectrum that took more than is aimed at, and exits with 1 if there was one.
"""

import sys

import numpy as np

from mpi_pgd.engine.arrays import Vector
from mpi_pgd.solvers.evaluation import Curvature, Evaluation
from mpi_pgd.solvers.gd import GradientDescent
from mpi_pgd.solvers.momentum import Momentum
from mpi_pgd.solvers.nesterov import Nesterov

TOL, LIMIT = 1e-10, 200_000
MORE = 10  # rounds that are always allowed
SOLVERS = {"nesterov": Nesterov, "gd": GradientDescent, "momentum": lambda step: Momentum(step, 0.9)}
AIMED = {"nesterov": (1.35, 1e6), "gd": (1.05, 100.0), "momentum": (1.35, 100.0)}  # times the rounds; the largest ratio tried


def spectrum(generator: np.random.Generator, largest_ratio: float) -> Vector:
    """Eigenvalues of one of six kinds, p from 2 to 500, ratios from 1.01 on."""
    p = int(np.exp(generator.uniform(np.log(2), np.log(501))))
    ratio = 1.01 * (largest_ratio / 1.01) ** generator.random()
    kind = generator.integers(6)
    if kind == 0:  # equicorrelated features
        r = (ratio - 1) / (ratio - 1 + p)
        values = np.append(np.full(p - 1, 1 - r), 1 + (p - 1) * r)
    elif kind == 1:  # blocks of correlated features
        sizes = generator.multinomial(p, generator.dirichlet(np.ones(max(1, p // 8))))
        r = generator.uniform(0, (ratio - 1) / (ratio - 1 + sizes.max()), len(sizes))
        values = np.concatenate([np.append(np.full(n - 1, 1 - c), 1 + (n - 1) * c) for n, c in zip(sizes, r, strict=True) if n])
    elif kind == 2:  # two clusters
        values = np.where(generator.random(p) < generator.random(), 1.0, ratio)
    elif kind == 3:  # pairs that nearly agree at the top
        values = np.exp(generator.uniform(0, np.log(ratio), p))
        values[np.argsort(values)[-2:]] = ratio * np.array([1 - 1e-6, 1.0])
    else:
        shape = generator.random(p)
        values = np.exp(shape * np.log(ratio)) if kind == 4 else 1 + shape * (ratio - 1)
    return values * 10.0 ** generator.uniform(-3, 3)


def rounds(name: str, step: float | str, values: Vector, aim: Vector) -> int:
    """Until the gradient's norm has fallen by TOL; LIMIT if it never does."""
    solver = SOLVERS[name](step)
    state = solver.init(np.zeros(len(values)), Curvature(values.mean(), values.sum()))
    first = np.linalg.norm(values * aim)
    for count in range(LIMIT):
        gradient = values * (state.point - aim)
        norm = np.linalg.norm(gradient)
        if norm <= TOL * first:
            return count
        if not np.isfinite(norm):
            break
        rounding = np.finfo(float).eps * np.linalg.norm(values * np.abs(aim))
        state = solver.update(state, Evaluation(0.0, gradient, rounding))
    return LIMIT


def main(count: int, seed: int) -> int:
    """All solvers; each spectrum once with the step learnt, once with it exact."""
    broken = 0
    for name, (aimed, largest_ratio) in AIMED.items():
        generator = np.random.default_rng(seed)
        ratios, lost = [], 0
        for _ in range(count):
            values = spectrum(generator, largest_ratio)
            aim = generator.normal(size=len(values)) * values ** generator.choice([0.0, -0.5, -1.0])
            exact = rounds(name, 1 / values.max(), values, aim)
            learnt = rounds(name, "auto", values, aim)
            lost += learnt == LIMIT > exact
            if learnt > max(aimed * exact, exact + MORE):
                broken += 1
                about = f"p = {len(values)}, ratio {values.max() / values.min():.4g}"
                print(f"{name}: {learnt} rounds in place of {exact}, {about}", flush=True)
            ratios.append(learnt / max(exact, MORE))
        spread = ", ".join(f"{np.quantile(ratios, q):.2f}" for q in (0.5, 0.99, 1.0))
        print(
            f"{name:<9} {count} spectra, ratios to {largest_ratio:g}: {lost} never ended; rounds, times the exact: {spread}",
            flush=True,
        )
    print(f"{broken} beyond what is aimed at (median, 99 %, most above; rounds counted as at least {MORE})")
    return int(broken > 0)


if __name__ == "__main__":
    spectra, seed = [*map(int, sys.argv[1:]), *(10_000, 0)[len(sys.argv) - 1 :]]
    sys.exit(main(spectra, seed))
