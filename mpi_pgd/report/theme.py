"""What a picture is drawn with: one palette for paper, light and dark, and matplotlib's SVG made to follow it.

The light colours, each used once, stand in matplotlib's output for the names of the palette: inline in a page they become
CSS variables, which the page sets for light and dark.
"""

import io
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from mpi_pgd.errors import InputError
from mpi_pgd.report.markup import Markup

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Name: light, dark. The series' hues are those that colour-blind people tell apart (after Okabe and Ito), each dark or
# light enough to stand out by 3:1 from its page.
PALETTE = {
    "text": ("#1b2127", "#e7e9ec"),
    "muted": ("#555e67", "#aab2ba"),
    "line": ("#dce0e4", "#343a41"),
    "page": ("#ffffff", "#15181b"),
    # the parts of a round: earths and greens, which no mode has
    "compute": ("#4a5a3a", "#a3b98a"),
    "wait": ("#dfe3e7", "#2b3138"),
    "hatch": ("#7d868f", "#8e979f"),
    "wire": ("#b07d00", "#e3b53c"),
    "update": ("#3d9440", "#7ed481"),
    "input": ("#8a5a33", "#cf9a6c"),
    # the modes: client-server in blues, peer-to-peer from red to violet, hierarchical in blue greens, gossip from rust to gold
    "blue": ("#0a5cad", "#58a9f0"),
    "sky": ("#0e87b3", "#56cdf2"),
    "red": ("#c8322b", "#ff8378"),
    "pink": ("#d0439a", "#f59ad0"),
    "plum": ("#7a1f5c", "#c97bb0"),
    "violet": ("#6a4fc9", "#b3a2ff"),
    "teal": ("#00857a", "#35cfc0"),
    "pine": ("#0b5d57", "#1fa396"),
    "jade": ("#2f9e8f", "#7fe0d3"),
    "mist": ("#5b9aa0", "#a9dce0"),
    "slate": ("#3f6f82", "#8fbccd"),
    "rust": ("#8f3208", "#d9774a"),
    "orange": ("#d95f02", "#ffab66"),
    "cocoa": ("#6b4423", "#b98d67"),
    "ochre": ("#a0742a", "#d8b36e"),
    "gold": ("#8a7400", "#e8d44d"),
    # the page's own
    "link": ("#1d4f91", "#8fb8ee"),
    "ok": ("#2c7a57", "#52bb8c"),
    "warning": ("#a83a00", "#f4965c"),
}
LIGHT = {name: pair[0] for name, pair in PALETTE.items()}
WIDE, NARROW = 860, 328  # CSS pixels: the column of a page, and that of a phone of 360
_FONT = {False: 13.0, True: 12.0}  # of a wide picture, and of a narrow one
_LEGEND = {False: 70.0, True: 150.0}  # CSS pixels of it that the height of a picture counts in; what is beyond is added
_STYLE: dict[Any, Any] = {  # beside matplotlib's own defaults
    "svg.fonttype": "none",
    "svg.hashsalt": "mpi_pgd",
    "text.parse_math": False,  # a name may hold a dollar
    "font.sans-serif": ["DejaVu Sans"],
    **dict.fromkeys(("text.color", "legend.labelcolor"), LIGHT["text"]),
    **dict.fromkeys(("axes.labelcolor", "xtick.labelcolor", "ytick.labelcolor"), LIGHT["muted"]),
    **dict.fromkeys(("axes.edgecolor", "xtick.color", "ytick.color"), LIGHT["hatch"]),
    **dict.fromkeys(("figure.facecolor", "savefig.facecolor"), LIGHT["page"]),
    **dict.fromkeys(("axes.spines.top", "axes.spines.right", "legend.frameon"), False),
    **dict.fromkeys(("axes.grid", "axes.axisbelow"), True),
    "axes.facecolor": "none",
    "axes.titlesize": "medium",
    "axes.titlelocation": "left",
    "axes.titlepad": 10.0,
    "grid.color": LIGHT["line"],
    **dict.fromkeys(("xtick.minor.size", "ytick.minor.size"), 0.0),
    "legend.handlelength": 2.2,
    "legend.columnspacing": 1.6,
    "lines.linewidth": 1.8,
    "lines.markersize": 6.0,
    "hatch.linewidth": 0.8,
    **dict.fromkeys(("figure.constrained_layout.h_pad", "figure.constrained_layout.w_pad"), 0.08),
    **dict.fromkeys(("figure.constrained_layout.hspace", "figure.constrained_layout.wspace"), 0.06),
}


@dataclass(frozen=True)
class Picture:
    """A picture to be drawn.

    Attributes:
        name: of its files.
        title: above it.
        caption: what to see in it, in sentences.
        alt: for those who do not see it.
        draw: draws on an empty figure; its second argument says whether it is the narrow one.
        heights: in CSS pixels, wide and narrow.
        mark: "predicted" or "simulated", where it holds such figures; else empty.
        finding: what it shows, in one sentence; empty: what its record says.
    """

    name: str
    title: str
    caption: str
    alt: str
    draw: Callable[["Figure", bool], None]
    heights: tuple[float, float]
    mark: str = ""
    finding: str = ""


@dataclass(frozen=True)
class Drawn:
    """A picture as files, and as what goes into a page."""

    picture: Picture
    png: bytes
    svg: bytes
    wide: Markup
    narrow: Markup


def need() -> None:
    """Refuse at once if there is no matplotlib. Raises InputError: which pip command installs it."""
    try:
        import matplotlib  # noqa: F401  # heavy, and only reports need it
    except ImportError:
        raise InputError("a report needs matplotlib, which is not installed: run pip install 'mpi_pgd[report]'") from None


def drawn(picture: Picture) -> Drawn:
    """Draw a picture for paper, for a wide page, and for a phone."""
    with styled(narrow=False):
        figure = _figure(picture, narrow=False)
        svg = saved(figure, "svg")
        png = saved(figure, "png", dpi=144)
    with styled(narrow=True):
        slim = saved(_figure(picture, narrow=True), "svg")
    return Drawn(picture, png, svg, _inline(svg, picture, "wide"), _inline(slim, picture, "narrow"))


@contextmanager
def styled(narrow: bool) -> Iterator[None]:
    """The look of all pictures, and with nothing of the user's own."""
    import matplotlib

    with matplotlib.rc_context():  # the user's own matplotlibrc must not change a report
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_STYLE | {"font.size": _FONT[narrow], "xtick.labelsize": 12.0, "ytick.labelsize": 12.0})
        yield


def _figure(picture: Picture, narrow: bool) -> "Figure":
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    width, height = (NARROW, picture.heights[1]) if narrow else (WIDE, picture.heights[0])
    layout = ConstrainedLayoutEngine()
    figure = Figure(figsize=(width / 72, height / 72), dpi=72, layout=layout)  # a point is a CSS pixel
    picture.draw(figure, narrow)
    legends = sum(one.get_window_extent().height for one in figure.legends)  # however many lines: the axes keep their room
    figure.set_figheight((height + max(0.0, legends - _LEGEND[narrow])) / 72)
    layout.execute(figure)
    figure.set_layout_engine()  # none: each file would be laid out twice more, which takes longer than to write it
    return figure


def saved(figure: "Figure", kind: str, **options: Any) -> bytes:
    """As a file; the same bytes whenever it is drawn."""
    out = io.BytesIO()
    metadata: dict[str, Any] = {"Date": None, "Creator": None} if kind == "svg" else {"Software": None}
    figure.savefig(out, format=kind, **{"metadata": metadata} | options)
    return out.getvalue()


def _inline(svg: bytes, picture: Picture, variant: str) -> Markup:
    """The SVG as part of a page: no fonts or colours of its own, names that no other picture has, a title and a description."""
    root = ElementTree.fromstring(svg)
    for element in root.iter():
        _adapt(element, f"{picture.name}-{variant}-")
    for parent in [root, *root.iter("defs")]:
        for child in [child for child in parent if child.tag in ("metadata", "style")]:
            parent.remove(child)  # a style sheet would apply to the whole page; the page has its own
    title, description = ElementTree.Element("title"), ElementTree.Element("desc")
    title.text, description.text = picture.title, picture.alt
    root[:0] = [title, description]
    box = root.attrib["viewBox"]
    root.attrib.clear()
    root.attrib |= {"viewBox": box, "class": variant, "role": "img", "aria-label": f"{picture.title}. {picture.alt}"}
    names = {light: f"var(--{name})" for name, light in LIGHT.items()}
    return Markup(re.sub("|".join(names), lambda found: names[found[0]], ElementTree.tostring(root, encoding="unicode")))


def _adapt(element: ElementTree.Element, prefix: str) -> None:
    """Without namespaces, as HTML knows SVG's elements without; what it names and refers to begins with ``prefix``."""
    element.tag = element.tag.rpartition("}")[2]
    attributes = {key.rpartition("}")[2]: value.replace("url(#", f"url(#{prefix}") for key, value in element.attrib.items()}
    element.attrib = attributes
    if "id" in attributes:
        attributes["id"] = prefix + attributes["id"]
    if attributes.get("href", "").startswith("#"):
        attributes["href"] = f"#{prefix}{attributes['href'][1:]}"
    if "d" in attributes:  # a hundredth of a pixel is enough
        attributes["d"] = " ".join(re.sub(r"(\.\d\d)\d+", r"\1", attributes["d"]).split())
    if element.tag == "text":
        attributes["style"] = re.sub(r"font(-family)?: *([\d.]+px)?[^;]*", r"font-size: \2", attributes.get("style", ""))


def panels(figure: "Figure", number: int, narrow: bool, across: int = 2, **options: Any) -> list["Axes"]:
    """Axes side by side, at most ``across``; on a phone one below the other."""
    columns = 1 if narrow else min(across, number)
    grid = figure.subplots(-(-number // columns), columns, squeeze=False, **options)
    every: list[Axes] = list(grid.flat)
    for spare in every[number:]:
        spare.set_visible(False)
    return every[:number]


def legend(figure: "Figure", marks: Iterable[tuple[Any, str]], narrow: bool) -> None:
    """What each mark means, above the axes, so that it covers no data, in as many columns as have room."""
    handles, labels = zip(*marks, strict=True)
    room = figure.get_figwidth() * 72 / (max(map(len, labels)) * 0.6 * _FONT[narrow] + 50)
    figure.legend(handles, labels, loc="outside upper left", ncols=max(1, min(len(labels), int(room))))
