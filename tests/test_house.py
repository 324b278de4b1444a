"""The house: a name stands in one file, facts need no MPI, the kernel decides bits, and scripts in texts name what is there."""

import ast
import importlib
import inspect
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

import mpi_pgd
from mpi_pgd.modes import MEMBERS, WAYS
from mpi_pgd.study import STUDIES
from tests.launch import ROOT
from tests.mutants import MUTANTS

pytestmark = pytest.mark.beside("numbers")

PACKAGE = Path(mpi_pgd.__file__).parent
# A name: where the only file of the package is that may have it as a literal. A key in brackets, row["scaling"], does not count.
HOMES = {
    **dict.fromkeys((each.name for each in MEMBERS), "modes/"),
    **dict.fromkeys((name for _, name in WAYS), "comm/"),
    **dict.fromkeys(STUDIES, "study/__init__.py"),
}
# The same words where they name something else.
ELSEWHERE = {
    "comm/graphs.py": {"ring": "a graph"},
    "slurm/script.py": {"compare": "a kind of script", "scaling": "a kind of script"},
    "synonyms.py": dict.fromkeys(("compare", "scaling", "network", "doctor"), "a command, meant by other words"),
    "study/scaling/__init__.py": {"scaling": "strong or weak, of a row"},
    "study/scaling/measure.py": {"scaling": "strong or weak, of a row"},
    "study/plan/__init__.py": {"network": "a flag"},
    "study/plan/planner.py": {"network": "the nodes, in the record"},
    "cli/slurm.py": {"network": "a flag"},
    "config.py": {"cache": "a setting"},
    "study/pieces.py": {"network": "the link between nodes"},
    **{f"study/doctor/{name}.py": {"network": "a check"} for name in ("checks", "facts", "links", "pings")},
}

# Rooms whose numbers have the same bits on every processor; and what has not, by whatever name it is called.
ROOMS = ("engine", "losses", "penalties", "data", "solvers", "drivers", "modes", "session")
ELEMENTARY = "exp exp2 expm1 log log2 log10 log1p cbrt hypot sinh cosh tanh sin cos tan "
UNSURE = {
    "np": f"{ELEMENTARY} arctan logaddexp power float_power dot vdot inner matmul tensordot einsum convolve linalg fft".split(),
    "math": f"{ELEMENTARY} atan pow dist sumprod gamma lgamma erf erfc".split(),
}
# Where it stands all the same, and why.
SURE = {
    ("engine/cut.py", "np.dot"): "multiples of one unit, whose sums are exact",
    ("engine/precise.py", "@"): "slices, whose products and sums are exact",
    ("solvers/diagnosis.py", "math.log10"): "digits that a person reads",
    ("solvers/refine.py", "math.log10"): "digits that a person reads",
    ("drivers/history.py", "math.log10"): "digits that a person reads",
    ("solvers/suit.py", "**"): "whole numbers",
}


def unsure(tree: ast.Module) -> Iterator[str]:
    """What a file calls whose bits may be others on another processor, or with another C library."""
    plain = set()  # an exception, and a view
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(value, "LinAlgError") | ast.Call(value, [ast.Constant("ii->i"), *_]):
                plain.add(id(value))
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(ast.Name(module), name) if name in UNSURE.get(module, ()) and id(node) not in plain:
                yield f"{module}.{name}"
            case ast.ImportFrom("numpy" | "math", names=names):
                yield from (each.name for each in names if each.name in UNSURE["np"] + UNSURE["math"])
            case ast.BinOp(op=ast.MatMult()) | ast.AugAssign(op=ast.MatMult()):
                yield "@"
            case ast.Attribute(ast.Name("kernel" | "block" | "self") | ast.Attribute(attr="handle"), "dot"):
                pass
            case ast.Attribute(attr="dot"):  # an array's
                yield ".dot"
            case ast.BinOp(left, ast.Pow()) if not isinstance(left, ast.Constant | ast.UnaryOp):  # of constants it is exact enough
                yield "**"


def literals() -> Iterator[tuple[str, str]]:
    """Every text of the code, but for keys in brackets, with its file."""
    for path in sorted(PACKAGE.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        keys = {id(node.slice) for node in ast.walk(tree) if isinstance(node, ast.Subscript)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in keys:
                yield node.value, str(path.relative_to(PACKAGE))


def test_a_name_stands_in_one_file() -> None:
    found: dict[str, set[str]] = {name: set() for name in HOMES}
    for text, where in literals():
        if text in HOMES:
            found[text].add(where)
    for name, home in HOMES.items():
        others = {where for where, words in ELSEWHERE.items() if name in words}
        assert others <= found[name]
        assert [where.startswith(home) for where in found[name] - others] == [True], (name, found[name])


def test_the_kernel_decides_bits() -> None:
    found = set()
    for room in ROOMS:
        for path in (PACKAGE / room).rglob("*.py"):
            where = str(path.relative_to(PACKAGE))
            found |= {(where, what) for what in unsure(ast.parse(path.read_text(encoding="utf-8")))}
    assert found - SURE.keys() == set(), "through mpi_pgd.kernel these have the same bits on every processor"
    assert SURE.keys() - found == set(), "these are no exceptions any more"


LIGHT = {
    "modes": "mpi4py numpy",
    "report.axes": "mpi4py numpy",
    "config": "mpi4py",
    "session.run": "csv shutil mpi_pgd.session.judged",
}


@pytest.mark.parametrize(("module", "without"), LIGHT.items())
def test_what_is_imported_is_little(module: str, without: str) -> None:
    words = f"import sys, mpi_pgd.{module}; print(*sorted(set({without.split()}) & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, check=True, timeout=60)
    assert result.stdout.strip() == ""


@pytest.mark.parametrize("ranks", [1, 2, 3, 8])
def test_every_rank_has_its_place(ranks: int) -> None:
    """Workers are numbered from 0 on without a gap, and rank 0 updates."""
    for facts in MEMBERS:
        workers = [facts.worker(rank, ranks) for rank in range(ranks)]
        assert workers == [-1] * facts.first_worker(ranks) + list(range(facts.workers(ranks)))
        assert facts.updates(0)
        assert [facts.workers(facts.ranks(count)) for count in range(1, 20)] == list(range(1, 20))


FILLED = "filled_in_later"  # what a template's {} and an f-string's values stand for
DOTTED = re.compile(r"mpi_pgd(\.\w+)+")


def texts(nodes: Iterable[ast.AST]) -> Iterator[str]:
    """Every text of a file, where something is filled in with a name there."""
    for node in nodes:
        if isinstance(node, ast.JoinedStr):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else FILLED for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield re.sub(r"{[^{}\n]*}", FILLED, node.value)


def scripts(nodes: Iterable[ast.AST]) -> Iterator[ast.Module]:
    """Those texts that are Python, and import something of the package."""
    for text in texts(nodes):
        if "import" in text and "mpi_pgd" in text:
            for each in (text, re.sub(r"{{|}}", "", text)):
                try:
                    yield ast.parse(textwrap.dedent(each))
                    break
                except SyntaxError:  # prose, or a part of a script
                    pass


def found(name: str) -> Any:
    """What a name with dots stands for. Raises AttributeError or ImportError: there is none such."""
    first, *rest = name.split(".")
    what: Any = importlib.import_module(first)
    for part in rest:
        if inspect.ismodule(what) and not hasattr(what, part):
            importlib.import_module(f"{what.__name__}.{part}")
        what = getattr(what, part)
        if not (inspect.ismodule(what) or inspect.isclass(what)):
            break  # what an object has is known when it is there
    return what


def asked(script: ast.AST) -> Iterator[str]:
    """The names of the package that a script imports, and those of what it imports that it reads or sets."""
    whole = dict[str, str]()
    for node in ast.walk(script):
        if isinstance(node, ast.Import):
            names = [(each.name, each.asname) for each in node.names]
            whole |= {short or name.partition(".")[0]: name if short else name.partition(".")[0] for name, short in names}
            yield from (name for name, _ in names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            whole |= {each.asname or each.name: f"{node.module}.{each.name}" for each in node.names}
            yield from (f"{node.module}.{each.name}" for each in node.names)
    for node in ast.walk(script):
        if isinstance(node, ast.Attribute):
            first, *rest = ast.unparse(node).split(".")
            if first in whole and all(part.isidentifier() for part in rest):
                yield ".".join([whole[first], *rest])


def patched(nodes: Iterable[ast.AST]) -> Iterator[str]:
    """Names with dots in texts, of what is patched: whole, ``setattr("mpi_pgd.a.b", ...)``, or as ``("mpi_pgd.a", "b")``."""
    for node in nodes:
        if isinstance(node, ast.Tuple | ast.Call):
            words = [getattr(each, "value", None) for each in (node.elts if isinstance(node, ast.Tuple) else node.args)]
            module, name = (*words, None, None)[:2]
            if isinstance(module, str) and DOTTED.fullmatch(module):
                if isinstance(name, str) and name.replace(".", "").isidentifier():
                    yield f"{module}.{name}"
                elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("setattr"):
                    yield module


def stale(file: str) -> Iterator[str]:
    """The names in a file's texts that there are not."""
    nodes = [node for node in ast.walk(ast.parse(file)) if isinstance(node, ast.Constant | ast.JoinedStr | ast.Tuple | ast.Call)]
    names = {name for script in scripts(nodes) for name in asked(script)} | {*patched(nodes)}
    for name in sorted(names):
        words = name.split(".")
        if words[0] == "mpi_pgd" and FILLED not in name and "__main__" not in words:  # to import that one begins a run
            try:
                found(name)
            except (AttributeError, ImportError):
                yield name


def test_scripts_of_tests_name_what_is_there() -> None:
    """No tool looks into texts: that something was moved would be seen when the script runs, in a job of its own."""
    files = [path for folder in ("tests", "benchmarks") for path in sorted((ROOT / folder).rglob("*.py"))]
    assert {path.name: names for path in files if (names := [*stale(path.read_text(encoding="utf-8"))])} == {}


def test_what_mutants_change_is_there() -> None:
    assert [mutant for mutant in MUTANTS if not mutant.clear] == []


def test_stale_names_are_seen() -> None:
    script = "from PACKAGE.session import passes as p, gone\nimport PACKAGE.lost\np.rounds = p.over = {rank!r}\np.rounds(1).any"
    other = f"patch.setattr('PACKAGE.errors.NoError', 1); PLACES = [('PACKAGE.errors', 'InputError.no'), {script!r}]"
    wrong = ("errors.InputError.no", "errors.NoError", "lost", "session.gone", "session.passes.over")
    assert [*stale(other.replace("PACKAGE", "mpi_pgd"))] == [f"mpi_pgd.{name}" for name in wrong]
