"""Functions that users name."""

import sys
from pathlib import Path

import pytest

from mpi_pgd.errors import InputError
from mpi_pgd.user import beside, load


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.py"
    path.write_text(
        "def twice(x):\n    return 2 * x\n\n\nclass Kind:\n    @staticmethod\n    def thrice(x):\n        return 3 * x\n"
    )
    return path


def test_of_a_file(file: Path) -> None:
    assert load(f"{file}:twice")(2) == 4
    assert load(f"{file}:Kind.thrice")(2) == 6
    assert load(f"{file}:twice") is load(f"{file}:twice")


def test_a_file_that_has_changed_is_run_again(file: Path) -> None:
    before = load(f"{file}:twice")
    file.write_text(file.read_text().replace("2 *", "4 *"))  # as long as before
    assert (load(f"{file}:twice")(1), before(1)) == (4, 2)


def test_what_lies_beside_it_can_be_imported(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    (file.parent / "beside_it_of_user.py").write_text("FACTOR = 5\n")
    file.write_text(
        "from dataclasses import dataclass\nfrom beside_it_of_user import FACTOR\n\n@dataclass\nclass A:\n    x: 'int'\n"
        "\ndef f(x):\n    return A(FACTOR * x)\n"
    )
    assert load(f"{file}:f")(2).x == 10


def test_of_a_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "package_of_user").mkdir()
    (tmp_path / "package_of_user" / "inner.py").write_text("def f():\n    return 7\n")
    assert load("package_of_user.inner:f")() == 7
    assert load("math:sqrt")(4) == 2


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("twice", "names no function: expected package.module:function or FILE.py:function"),
        (":twice", "names no function"),
        ("{file}:", "names no function"),
        ("{file}:twiec", r"has no function twiec \(did you mean twice\?\)"),
        ("{file}:__doc__", "has no function __doc__"),
        ("{folder}/other.py:f", "can't read .*other.py: No such file or directory"),
        ("{folder}/a\0.py:f", "can't read .*null"),
        ("no_such_package.inner:f", "there is no module no_such_package.inner"),
        ("math.inner:f", "there is no module math.inner"),
        ("..x:f", "is no name of a module"),
        ("{folder}/bad.py:f", r"bad.py, line 2, is no Python: "),
        ("{folder}/null.py:f", "null.py.* is no Python: "),
    ],
)
def test_mistakes_are_one_sentence(text: str, words: str, file: Path) -> None:
    (file.parent / "bad.py").write_text("x = 1\ndef f(:\n")
    (file.parent / "null.py").write_text("x = '\0'\n")
    with pytest.raises(InputError, match=words):
        load(text.format(file=file, folder=file.parent))


def test_an_error_of_the_users_own_lines_stays_what_it_is(file: Path) -> None:
    file.write_text("import no_such_module_of_user\n")
    for _ in range(2):  # nothing half made stays
        with pytest.raises(ModuleNotFoundError, match="no_such_module_of_user"):
            load(f"{file}:f")


def test_what_belongs_to_a_function(file: Path) -> None:
    """The nearest counts: an attribute, a name that says so, any of the module."""
    file.write_text("def f():\n    pass\n\n\ndef init():\n    return 1\n")
    assert beside(f"{file}:f", "init")() == 1
    file.write_text(file.read_text() + "\n\ndef f_init():\n    return 2\n")
    assert beside(f"{file}:f", "init")() == 2
    file.write_text(file.read_text() + "\n\nf.init = lambda: 3\n")
    assert beside(f"{file}:f", "init")() == 3
    with pytest.raises(InputError, match=r"mine.py has no function f_start: expected it, or start, beside f$"):
        beside(f"{file}:f", "start")
