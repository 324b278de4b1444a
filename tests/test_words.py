"""What was meant: other programs' words, slips of the hand, words that look like commands, and tables in other formats."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from mpi_pgd import InputError
from mpi_pgd.cli import arguments, commands, fit, help
from mpi_pgd.config import OPTIONS, Settings, settings
from mpi_pgd.data.opening import opened
from mpi_pgd.errors import nearest
from mpi_pgd.session.settings import read_options
from mpi_pgd.synonyms import SYNONYMS
from tests.launch import Library, launch
from tests.test_cli import python

FLAGS = [flag for action in fit.parser()._actions for flag in action.option_strings]


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        *(("--alpha", "--l2"), ("--lambda", "--l2"), ("--ridge", "--l2"), ("--lr", "--step"), ("--learning_rate", "--step")),
        *(("--max-iter", "--rounds"), ("--epochs", "--rounds"), ("--n_iter", "--rounds"), ("--no-bias", "--no-intercept")),
        *(("--stepp", "--step"), ("--rouns", "--rounds"), ("--intrecept", "--intercept"), ("--MODE", "--mode")),
        *(("--max_seconds", "--max-seconds"), ("--stand", "--standardize"), ("--checkpiont", "--checkpoint")),
    ],
)
def test_what_a_flag_means(word: str, meant: str) -> None:
    assert nearest(word, FLAGS) == f" (did you mean {meant}?)"


@pytest.mark.parametrize("word", ["--foo", "--port", "--host", "--verbose", "--gpu", "--cv", "-j", "--"])
def test_nothing_is_better_than_nonsense(word: str) -> None:
    assert nearest(word, FLAGS) == ""


@pytest.mark.parametrize(
    ("name", "word", "meant"),
    [
        ("mode", "p2p", "peer-to-peer"),
        ("mode", "parameter_server", "client-server"),
        ("solver", "Gradient_Descent", "gd"),
        ("solver", "mini_batch_gd", "sgd"),
        ("sums", "orderfree", "order-free"),
    ],
)
def test_what_a_choice_means(name: str, word: str, meant: str) -> None:
    with pytest.raises(InputError, match=rf"^{name} was given '{word}' \(did you mean {meant}\?\): expected one of"):
        settings({name: word})


def test_synonyms_lead_to_words_that_there_are() -> None:
    studies = ("ranks", "workers", "repeats", "rows", "condition", "noise", "seed", "config")
    choices = {choice for option in OPTIONS.values() for choice in option.metadata["choices"]}
    known = {*(name.replace("_", "-") for name in OPTIONS), *choices, *commands.COMMANDS, *studies}
    assert {name for names in SYNONYMS.values() for name in names} <= known
    assert not [word for word, names in SYNONYMS.items() if word in names]


@pytest.mark.parametrize(
    ("word", "answer"),
    [
        ("train", "there is no command train (did you mean fit?): expected one of fit, predict, compare, scaling,"),
        ("transform", "there is no command transform: expected one of fit, predict, compare, scaling,"),
        ("doctro", "(did you mean doctor?)"),
        ("hlep", "(did you mean help?)"),
    ],
)
def test_a_word_that_looks_like_a_command(word: str, answer: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError) as raised:
        commands.unknown([word])
    assert answer in str(raised.value)
    Path(word).touch()
    commands.unknown([word])  # a file of that name is meant


@pytest.mark.parametrize("word", ["rows.h5", "part*", "a/b", "-q", "", "--help"])
def test_a_word_that_is_no_command(word: str) -> None:
    commands.unknown([word])
    commands.unknown([])


def test_a_command_after_flags() -> None:
    with pytest.raises(InputError, match="compare is a command: it comes first, as in python -m mpi_pgd compare"):
        arguments.settings(fit.parser().read(["--quiet", "compare"]))


@pytest.mark.either
def test_an_unknown_command_under_mpirun(library: Library, tmp_path: Path) -> None:
    result = launch(library, 2, "train", "data.h5", "--out", tmp_path / "out")
    assert result.returncode == 2, result
    assert result.stderr.count("there is no command train (did you mean fit?)") == 1, result


@pytest.mark.parametrize(
    ("words", "first"),
    [
        (["help"], "usage: mpirun -n N python -m mpi_pgd [fit]"),
        (["help", "compare"], "usage: mpirun -n N python -m mpi_pgd compare"),
        (["help", "study"], "usage: mpirun -n N python -m mpi_pgd study STUDY"),
        (["help", "study", "solvers"], "usage: mpirun -n N python -m mpi_pgd study solvers"),
        (["fit", "help"], "usage: mpirun -n N python -m mpi_pgd [fit]"),
    ],
)
def test_help_is_a_command(words: list[str], first: str) -> None:
    result = python("-m", "mpi_pgd", *words)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith(first)


def test_help_of_what_is_no_command() -> None:
    result = python("-m", "mpi_pgd", "help", "compar")
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith("mpi_pgd: help was given compar (did you mean compare?): expected one of fit, predict,")


def test_the_first_page_is_one_page_of_flags_that_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    page = help.first_page()
    monkeypatch.setattr(help, "MODES", dict.fromkeys(map("mode-{}".format, range(20))))
    assert max(map(len, help.first_page().splitlines())) <= 80
    assert len(page.splitlines()) <= 30
    assert max(map(len, page.splitlines())) <= 80
    assert set(re.findall(r"--([\w-]+)", page)) <= {"config", *OPTIONS}
    assert set(re.findall(r"^  (\w+) ", page, re.MULTILINE)) == set(commands.COMMANDS)


@pytest.mark.parametrize("name", commands.COMMANDS)
def test_every_command_has_a_page(name: str) -> None:
    assert name in commands.parser(name).format_help()


ROWS = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 9.0, 8.0]])


def comma(path: Path) -> None:
    path.write_text("height,width,y\n" + "".join(",".join(map(str, row)) + "\n" for row in ROWS))


def first_is_the_target(path: Path) -> None:
    path.write_text("y;height;width\n" + "".join(";".join(map(str, row[[2, 0, 1]])) + "\n" for row in ROWS), encoding="utf-8-sig")


def archive(path: Path) -> None:
    np.savez(path, Features=ROWS[:, :2], target=ROWS[:, 2])


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("rows.csv", comma),
        ("ro\"w's.txt", first_is_the_target),
        ("rows.dat", lambda path: np.savetxt(path, ROWS)),
        ("rows.csv.gz", lambda path: np.savetxt(path, ROWS, delimiter="\t")),
        ("rows.npy", lambda path: np.save(path, ROWS)),
        ("rows.npz", archive),
    ],
)
def test_a_table_in_another_format_gets_the_lines_that_make_hdf5_of_it(name: str, write: Any, tmp_path: Path) -> None:
    """And they do so."""
    write(tmp_path / name)
    with pytest.raises(InputError) as raised, opened(str(tmp_path / name)):
        pass
    sentence, *lines = str(raised.value).split("\n")
    assert "is not an HDF5 file but " in sentence
    assert len(lines) == 3
    subprocess.run([sys.executable, "-c", "\n".join(line.strip() for line in lines)], check=True)
    with h5py.File(next(tmp_path.glob("*.h5"))) as file:
        assert file["X"][()].tolist() == ROWS[:, :2].tolist()
        assert file["y"][()].tolist() == ROWS[:, 2].tolist()


@pytest.mark.parametrize(
    ("head", "line"),
    [
        (b"PAR1", "pd.read_parquet("),
        (b"MATLAB 5.0 MAT-file, Platform: GLNXA64", "scipy.io.loadmat("),
        (b"\x80\x04\x95", "pd.read_pickle("),
    ],
)
def test_formats_that_other_packages_read(head: bytes, line: str, tmp_path: Path) -> None:
    (tmp_path / "rows").write_bytes(head + bytes(600))
    with pytest.raises(InputError) as raised, opened(str(tmp_path / "rows")):
        pass
    assert line in str(raised.value)
    assert InputError.again(str(raised.value)).args == raised.value.args  # on the other ranks


@pytest.mark.parametrize("content", [b"", b"hello\n", b"a,b\nc,d\n", b"\x00\x01\x02" * 99, b"PK\x03\x04", b"\x1f\x8b\x00"])
def test_what_is_nothing_known_gets_no_lines(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_bytes(content)
    with pytest.raises(InputError) as raised, opened(str(tmp_path / "rows.csv")):
        pass
    assert "\n" not in str(raised.value)


def test_what_a_file_is_called_makes_no_lines() -> None:
    assert str(InputError("there is no file a\nb\x1b[2J")) == r"there is no file a\nb\x1b[2J"


@pytest.mark.parametrize(
    ("data", "more", "said"),
    [
        (None, (), "no data were given"),
        ([], (), "no data were given"),
        (3, (), "data was given 3: expected the name"),
        ("a.h5", ("b.h5",), "fit was given 2 files one by one"),
        ("a.h5", (3,), "fit was given 2 arguments: expected the name of an HDF5 file, or arrays as X and y"),
        ("a\0.h5", (), "and NUL is none of them"),
        ([Path("a.h5"), 3], (), "expected the name of an HDF5 file, or several"),
    ],
)
def test_other_data(data: Any, more: Any, said: str) -> None:
    with pytest.raises(InputError, match=said):
        read_options(data, more, {})


def begun(data: Any, more: Any, options: Any) -> Settings:
    return settings(read_options(data, more, options).settings)


def test_paths_and_scalars_of_numpy() -> None:
    given = {
        "rounds": np.int64(5),
        "l2": np.float64(0.1),
        "intercept": np.bool_(False),
        "mode": np.str_("peer-to-peer"),
        "out": Path("o"),
    }
    chosen = begun([Path("a.h5"), "b.h5"], (), given)
    assert chosen == settings(
        {"data": ["a.h5", "b.h5"], "rounds": 5, "l2": 0.1, "intercept": False, "mode": "peer-to-peer", "out": "o", "quiet": True}
    )
    assert {type(value) for value in chosen.as_dict().values()} == {tuple, str, int, float, bool}
    assert begun(Path("a.h5"), (), {}).data == begun(np.array(["a.h5"]), (), {}).data == ("a.h5",)


@pytest.mark.parametrize("content", [b"\xef\xbb\xbfrounds = 5\n", b"[fit]\nrounds = 5\n", b"l2 = 0\n[fit]\r\nrounds = 5\r\n"])
def test_settings_in_a_file(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "fit.toml").write_bytes(content)
    assert arguments.settings(fit.parser().read(["--config", str(tmp_path / "fit.toml")])).rounds == 5


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"rounds = 5\n[fit]\nrounds = 5\n", "sets rounds twice"),
        (b"max-seconds = 5\nmax_seconds = 5\n", "sets max_seconds twice"),
        (b"[compare]\nrounds = 5\n", r"has a table \[compare\]: expected settings without a table, or in one named \[fit\]"),
        (b"fit = 3\n", r"has a table \[fit\]"),
        (b"ro\0unds = 5\n", "is not text, it has the character NUL in line 1"),
        (b'out = "a\\u0000b"\n', "out in .* was given 'a.x00b': expected a folder's name"),
        (b"rounds = 5\n# \xe4\n", "is not UTF-8 .byte 0xe4 in line 2.: save it as UTF-8"),
        ("rounds = 5\n".encode("utf-16"), "is written in UTF-16: save it as UTF-8"),
    ],
)
def test_settings_files_that_are_refused(content: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / "fit.toml").write_bytes(content)
    with pytest.raises(InputError, match=said):
        arguments.settings(fit.parser().read(["--config", str(tmp_path / "fit.toml")]))


def test_settings_in_what_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name, said in (("pipe", "is not a regular file"), (".", "is not a regular file"), ("none", "can't be read .No such file")):
        with pytest.raises(InputError, match=said):
            arguments.settings(fit.parser().read(["--config", str(tmp_path / name)]))
