"""Each loss with each penalty by each solver: what does not go together is refused in a sentence that helps."""

import re
from dataclasses import asdict, dataclass
from itertools import product
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pytest

from mpi_pgd import InputError, config
from mpi_pgd.drivers.model import ModelObjective
from mpi_pgd.drivers.objective import Aims, Objective, Scaling
from mpi_pgd.losses import LOSSES, loss_of
from mpi_pgd.modes import MODES
from mpi_pgd.options import made, option, options_of
from mpi_pgd.penalties import PENALTIES, Penalty
from mpi_pgd.penalties.strengths import Strengths
from mpi_pgd.session.model import choose_solver
from mpi_pgd.solvers import SOLVERS
from tests import combinations
from tests.combinations import CLASSES, FEATURES, OWN, ROWS, SEVERAL, TARGETS
from tests.families import SOLVING

MODEL = "a user's model"
ALL = [*product([*LOSSES, SEVERAL, OWN, MODEL], combinations.PENALTIES, SOLVERS)]
OF_SIDES = {"groups": "groups", "lower": "lower", "upper": "upper", "penalty_factors": "factors"}


def options(penalty: str, solver: str) -> dict[str, Any]:
    return {"solver": solver, **combinations.PENALTIES[penalty]}


class Given(NamedTuple):
    """What is given for each feature: ones, where anything is."""

    factors: Any = None
    groups: Any = None
    lower: Any = None
    upper: Any = None


def refusal(loss: str, given: dict[str, Any]) -> str:
    """What a fit says, or nothing if it takes that."""
    named = {MODEL: {"model": "a.py:f"}, SEVERAL: {}, OWN: {"loss": f"{combinations.__name__}:own"}}.get(loss, {"loss": loss})
    try:
        chosen = config.settings({**named, **given}, config.flag)
        choose_solver(SimpleNamespace(settings=chosen, rows=ROWS, endless=False, facts=MODES[chosen.mode]), goal(loss, chosen))  # type: ignore[arg-type]
    except InputError as error:
        return str(error)
    return ""


def goal(loss: str, chosen: config.Settings) -> Objective:
    terms = [made(term, chosen) for term in PENALTIES.values()]
    if loss == MODEL:
        return ModelObjective(ROWS, ROWS, np.zeros(FEATURES), terms)
    targets, outputs = CLASSES if loss == SEVERAL else 1, CLASSES if loss == SEVERAL or TARGETS.get(loss) == "classes" else 1
    ones = np.ones(FEATURES + targets)
    scaling = Scaling.of(0 * ones, ones, ones, True, True, targets)
    sides = Given(**{OF_SIDES[name]: np.ones(FEATURES) for name in config.given(chosen, OF_SIDES)})
    penalty = Penalty(terms, scaling.scale, outputs, sides)
    return Objective(ROWS, scaling, loss_of(chosen), penalty, True, Aims(ROWS, outputs))


@pytest.fixture(scope="module")
def refusals() -> dict[tuple[str, str, str], str]:
    said = {(loss, penalty, solver): refusal(loss, options(penalty, solver)) for loss, penalty, solver in ALL}
    return {names: sentence for names, sentence in said.items() if sentence}


def test_what_does_not_go_together_says_what_and_what_does(refusals: dict[tuple[str, str, str], str]) -> None:
    """What it names was given, and doing as it says helps: each solver that it expects, or to leave out what it names."""
    for (loss, penalty, solver), sentence in refusals.items():
        given = options(penalty, solver)
        told, expected, way = sentence.partition(": expected ")
        named = [word.removeprefix("--").replace("-", "_") for word in re.findall(r"--[a-z0-9-]+", told)]
        assert expected, sentence
        assert named, sentence
        assert {*named} <= given.keys() | ({"model"} if loss == MODEL else set()), sentence
        solvers = re.split(", | or ", way.removeprefix("--solver ")) if way.startswith("--solver") else []
        less = {name: value for name, value in given.items() if name not in [*named, "solver"]}
        others = [given | {"solver": name} for name in solvers] or [less]
        assert [other for other in others if refusal(loss, other)] == [], sentence


def test_the_law_is_tested_on_all_that_is_taken(refusals: dict[tuple[str, str, str], str]) -> None:
    law = {(each.loss, each.penalty, each.solver) for each in combinations.combinations()}
    taken = {*ALL} - refusals.keys()
    assert law == {(loss, penalty, solver) for loss, penalty, solver in taken if loss != MODEL and solver in SOLVING}


@dataclass(frozen=True)
class Net:
    """A term as somebody may write it: net (1/2 v^2 + |v|)."""

    net: float = option("model", 0.0, "an elastic net", "a number of at least 0")

    @property
    def strengths(self) -> Strengths:
        return Strengths(self.net, self.net)


def test_a_new_term_is_known_not_to_be_smooth(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else least squares would be solved without its absolute values."""
    auto, lbfgs, own = (
        SimpleNamespace(**asdict(config.settings(given)), net=0.1) for given in ({}, {"solver": "lbfgs"}, {"model": "a.py:f"})
    )
    monkeypatch.setitem(PENALTIES, "net", Net)
    monkeypatch.setitem(config.OPTIONS, "net", options_of([Net])["net"])

    def choice(chosen: Any) -> Any:
        problem: Any = SimpleNamespace(settings=chosen, rows=ROWS, endless=False, facts=MODES[chosen.mode])
        return choose_solver(problem, goal("squared", chosen))

    assert "not smooth" in choice(auto).reason
    with pytest.raises(InputError, match="with --net this one is not: expected --solver auto"):
        choice(lbfgs)
    with pytest.raises(InputError, match="--net is of linear models, and --model was given"):
        config._own(own, config.flag)  # type: ignore[arg-type]
