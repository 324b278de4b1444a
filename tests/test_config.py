"""Settings from flags, TOML and Python."""

import math
from typing import Any

import pytest

from mpi_pgd import InputError
from mpi_pgd.cli import arguments, fit
from mpi_pgd.config import OPTIONS, Settings, having, settings
from mpi_pgd.losses import LOSSES
from mpi_pgd.options import options_of
from mpi_pgd.penalties import PENALTIES
from mpi_pgd.solvers import SOLVERS
from mpi_pgd.values import period


def read(*words: str) -> Settings:
    return arguments.settings(fit.parser().read(words))


def test_text_and_typed_values_agree() -> None:
    given: dict[str, Any] = {"rounds": 7, "tol": 1e-3, "step": 0.5, "max_seconds": 3, "solver": "gd"}
    assert settings(given) == settings({name: str(value) for name, value in given.items()})


@pytest.mark.parametrize(
    ("name", "bad"),
    [
        ("rounds", 0),
        ("rounds", "many"),
        ("rounds", 1.5),
        ("rounds", True),
        ("tol", -1),
        ("tol", "nan"),
        ("step", "big"),
        ("step", 0),
        ("l2", -1e-9),
        ("momentum", 1),
        ("max_seconds", 0),
        ("max_seconds", "often"),
        ("mode", "server"),
        ("solver", "simplex"),
        ("sums", 3),
        ("folds", 3),
        ("folds", "1.5"),
        ("folds", True),
        ("intercept", "yes"),
        ("x", 3),
        ("checkpoint", 3),
        ("every", "60"),
        ("every", "0s"),
        ("every", "0.00s"),
        ("every", "000s"),
        ("every", ".0000s"),
        ("every", "0.000000001s"),
        ("every", "0rounds"),
        ("every", "-1s"),
        ("every", "2.5rounds"),
        ("every", "1m"),
        ("every", 60),
        ("resume", True),
        ("patience", 0),
        ("patience", 1e-9),
        ("patience", "nan"),
        ("frozen", "kill"),
        ("balance", "yes"),
        ("replicas", 0),
        ("replicas", 1.5),
        ("weights", 3),
        ("offset", True),
        ("lower", "nan"),
        ("lower", True),
        ("upper", math.inf),
        ("upper", "a\0b"),
    ],
)
def test_a_bad_value_is_named_with_what_was_expected(name: str, bad: Any) -> None:
    with pytest.raises(InputError, match=f"^{name} was given .*expected {OPTIONS[name].metadata['expected'][:8]}"):
        settings({name: bad})


@pytest.mark.parametrize("name", ["step", "max_seconds"])
def test_a_number_or_auto(name: str) -> None:
    assert [settings({name: value}).as_dict()[name] for value in ("auto", "2", 3)] == ["auto", 2.0, 3.0]


@pytest.mark.parametrize("name", ["lower", "upper"])
def test_a_number_or_the_name_of_a_data_set(name: str) -> None:
    assert [settings({name: value}).as_dict()[name] for value in ("", "L", "-1.5", 0, "/2")] == ["", "L", -1.5, 0.0, "/2"]


def test_an_unknown_name_gets_the_nearest() -> None:
    with pytest.raises(InputError, match="did you mean solver"):
        settings({"sovler": "gd"})


def test_flags_win_over_the_file(tmp_path: Any) -> None:
    (tmp_path / "fit.toml").write_text('rounds = 5\nmax-seconds = 2\nintercept = false\ndata = ["a.h5"]\n')
    chosen = read("--config", str(tmp_path / "fit.toml"), "--rounds", "6", "--no-standardize")
    assert (chosen.rounds, chosen.max_seconds, chosen.intercept, chosen.standardize) == (6, 2.0, False, False)
    assert chosen.data == ("a.h5",)


def test_flags_may_stand_between_files() -> None:
    assert read("a.h5", "--rounds", "3", "b.h5").data == ("a.h5", "b.h5")


def test_a_negative_value_is_a_value() -> None:
    with pytest.raises(InputError, match="--l2 was given '-1': expected a number of at least 0"):
        read("--l2", "-1")


@pytest.mark.parametrize("delay", ["2:3", "0:1.5", "exponential:1e-3", "exponential:.5"])
def test_a_delay(delay: str) -> None:
    assert settings({"delay": delay}).delay == delay


@pytest.mark.parametrize("delay", ["2", "2:", ":3", "2:0.5", "exponential:", "exponential:x", "-1:2", "normal:3"])
def test_a_bad_delay_is_refused(delay: str) -> None:
    with pytest.raises(InputError, match="expected RANK:FACTOR"):
        settings({"delay": delay})


def test_settings_from_file_and_flags_are_judged_together(tmp_path: Any) -> None:
    (tmp_path / "fit.toml").write_text('mode = "peer-to-peer"\nout = "x"\n')
    chosen = read("--config", str(tmp_path / "fit.toml"), "--algorithm", "ring", "--trace")
    assert (chosen.mode, chosen.algorithm, chosen.trace) == ("peer-to-peer", "ring", True)
    with pytest.raises(InputError, match="--algorithm linear is not one of the mode peer-to-peer"):
        read("--config", str(tmp_path / "fit.toml"), "--algorithm", "linear")


@pytest.mark.parametrize(
    ("every", "seconds", "rounds"),
    [("60s", 60.0, 0), ("0.5s", 0.5, 0), (".25s", 0.25, 0), ("7.s", 7.0, 0), ("1rounds", math.inf, 1), ("20rounds", math.inf, 20)],
)
def test_every(every: str, seconds: float, rounds: int) -> None:
    assert period(settings({"every": every}).every) == (seconds, rounds)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--frozen", "drop"], "--frozen drop needs --patience: expected the seconds after which a rank is dropped"),
        (
            ["--replicas", "2", "--mode", "peer-to-peer"],
            "--replicas 2 needs a server, which takes what comes first: expected --mode",
        ),
        (["--replicas", "2", "--algorithm", "linear"], "--replicas 2 needs a server, .*and --algorithm library"),
        (["--replicas", "2", "--balance"], "--balance and --replicas 2 exclude each other: expected one of them"),
    ],
)
def test_what_excludes_what(words: list[str], said: str) -> None:
    with pytest.raises(InputError, match=said):
        read(*words)


@pytest.mark.parametrize(
    "words",
    [
        ["--frozen", "drop", "--patience", "3"],
        ["--replicas", "2", "--checkpoint", "a.ckpt"],
        ["--balance", "--algorithm", "linear", "--patience", "0.5", "--resume", "a.ckpt"],
        ["--balance", "--replicas", "1", "--mode", "peer-to-peer"],
    ],
)
def test_what_goes_together(words: list[str]) -> None:
    chosen = fit.parser().read(words)
    given = {name: value for name, value in vars(chosen).items() if value is not None and name in OPTIONS}
    assert settings(given).as_dict()["data"] == ()


def test_what_decides_the_bits_is_carried_by_a_resume_and_known_to_studies() -> None:
    members = options_of([*LOSSES.values(), *PENALTIES.values(), *SOLVERS.values()])
    beside = {"weights", "offset", "class_weight", "penalty_factors", "groups", "lower", "upper", "init", "store"}
    assert set(having("bits")) == {"loss", "model", "solver", *members, "intercept", "standardize", "sums", "folds", *beside}
    assert set(having("bits")) < set(having("carried")) & set(having("studies"))
    assert not {"out", "force", "checkpoint", "resume"} & {*having("carried"), *having("studies")}


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"graph": "torus"}, "graph torus is of peers with neighbours: expected mode gossip"),
        ({"mode": "gossip", "algorithm": "ring"}, "algorithm ring is none of the mode gossip: expected graph ring, torus"),
        ({"mode": "gossip", "balance": True}, "does not go with balance: a peer's objective is that of its rows"),
        ({"mode": "gossip", "model": "m.py:f"}, "does not go with model"),
        ({"mode": "gossip", "replicas": 2}, "needs a server"),
    ],
)
def test_what_peers_with_neighbours_do_not_take(values: dict[str, object], words: str) -> None:
    with pytest.raises(InputError, match=words):
        settings(values)
