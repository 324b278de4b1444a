"""The formulas behind the figures, in MathML: no script, and readable by screen readers."""

from mpi_pgd.report.markup import Markup, join, tag
from mpi_pgd.report.records import Records


def formulas(records: Records) -> list[Markup]:
    """Those that the records make use of, each with its words."""
    names = set(records.all())
    found: list[Markup] = []
    if names & {"compare", "scaling", "plan", "network"}:
        found.append(_COST)
    if names & {"compare", "scaling"}:
        found.append(_SPEEDUP)
    if "scaling" in names:
        found.append(_KARP_FLATT)
    return found + ([_SLOWEST] if names & {"straggler", "run", "plan"} else [])


def _math(*children: str) -> Markup:
    """A formula on a line of its own; on a phone it scrolls rather than widens the page."""
    return tag("div", tag("math", tag("mrow", *children), display="block"), class_="formula", tabindex="0", role="group")


def _i(text: str) -> Markup:
    """A variable, or a word: MathML sets single letters in italics by itself."""
    return tag("mi", text)


def _o(text: str) -> Markup:
    return tag("mo", text)


def _sub(base: str, index: str) -> Markup:
    return tag("msub", _i(base), _i(index))


def _over(top: Markup, bottom: Markup) -> Markup:
    return tag("mfrac", tag("mrow", top), tag("mrow", bottom))


def _explained(title: str, formula: Markup, *words: str | Markup) -> Markup:
    return tag("div", tag("h3", title), formula, tag("p", *words), class_="explained")


def _var(text: str) -> Markup:
    return tag("var", text)


_ONE = tag("mn", "1")
_ONE_OVER_M = _over(_ONE, _i("m"))

_COST = _explained(
    "The cost model",
    _math(
        _i("time"),
        _o("="),
        _over(_i("compute"), _i("m")),
        _o("+"),
        _i("α"),
        _o("·"),
        _i("messages"),
        _o("+"),
        _i("β"),
        _o("·"),
        _i("bytes"),
        _o("+"),
        _i("wait"),
    ),
    join(
        "A round with ",
        _var("m"),
        " workers: what one worker would compute, shared; the latency ",
        _var("α"),
        " of each message that has to follow another; the bytes that go one after the other, at 1/",
        _var("β"),
        " bytes a second; and the expected wait for the slowest worker. How many messages and bytes those are is a matter of the "
        "mode and the algorithm.",
    ),
)
_SPEEDUP = _explained(
    "Speedup and efficiency",
    _math(
        _sub("S", "m"),
        _o("="),
        _over(_sub("T", "1"), _sub("T", "m")),
        tag("mspace", width="2em"),
        _sub("E", "m"),
        _o("="),
        _over(_sub("S", "m"), _i("m")),
    ),
    join(
        _var("T"),
        tag("sub", "1"),
        " is a round's time on one rank, measured in the same run; ",
        _var("T"),
        tag("sub", "m"),
        " that on ",
        _var("m"),
        " ranks. Ideally ",
        _var("S"),
        " = ",
        _var("m"),
        ".",
    ),
)
_KARP_FLATT = _explained(
    "The serial fraction (Karp and Flatt)",
    _math(
        _i("e"),
        _o("="),
        _over(join(_over(_ONE, _i("S")), _o("−"), _ONE_OVER_M), join(_ONE, _o("−"), _ONE_OVER_M)),
    ),
    join(
        "The share of the work that, by the speedup that was seen, is not parallel. If it grows with ",
        _var("m"),
        ", communication and waiting are what costs, not serial work.",
    ),
)
_SLOWEST = _explained(
    "The slowest of m workers",
    _math(
        _i("E"),
        _o("["),
        tag("munder", _i("max"), tag("mrow", _i("i"), _o("≤"), _i("m"))),
        _sub("D", "i"),
        _o("]"),
        _o("="),
        _sub("H", "m"),
        _o("·"),
        _i("mean"),
        tag("mspace", width="2em"),
        _sub("H", "m"),
        _o("="),
        tag("munderover", _o("∑"), tag("mrow", _i("k"), _o("="), _ONE), _i("m")),
        _over(_ONE, _i("k")),
    ),
    join(
        "A round takes as long as its slowest worker. If the delays ",
        _var("D"),
        " are exponential and independent, the longest of ",
        _var("m"),
        " is ",
        _var("H"),
        tag("sub", "m"),
        " ≈ ln ",
        _var("m"),
        " + 0.58 times their mean.",
    ),
)
