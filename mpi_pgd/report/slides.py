"""The pictures of a folder's run and studies as slides: 16:9, text of 24 pt, and what was found as the title."""

import re
import warnings
from collections.abc import Iterable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from mpi_pgd.errors import InputError
from mpi_pgd.report import theme, units
from mpi_pgd.report.kinds import Kind
from mpi_pgd.report.progress import steps
from mpi_pgd.report.records import read
from mpi_pgd.report.theme import LIGHT, Picture
from mpi_pgd.system import conflicts, output
from mpi_pgd.system.claims import Claim

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDTH, HEIGHT = 960.0, 540.0  # points: what slide programs take for a page of 16:9
TEXT = 24.0  # points
PIXELS = 1920  # of the PNG's width
SHRUNK = (1.0, 1.25, 1.55, 1.9, 2.4)  # a picture's text so many times smaller, where it has more rows than there is room for
FINDING = 150  # letters of a title: three lines
GAP = 10.0  # points, half of those on the slide: around titles
AXES = 0.3  # of the slide's height that its lowest panels take together, at least
MADE = "mpi_pgd report --slides"  # in both files, by which a slide is known for one
HEAD_BYTES = 2048  # in which that lies


class Slide(NamedTuple):
    """A picture, and what it shows in one sentence."""

    picture: Picture
    finding: str


def write(folder: str, studies: Mapping[str, Kind], out: str, force: bool = False, shown: bool = False) -> list[Path]:
    """Draw each picture as NAME.png and NAME.svg into the folder ``out``; returns the files written: all of them, or none.

    Args:
        folder: as ``html.write`` takes it.
        studies: all that there are, by name.
        out: the folder; it is made.
        force: files that are no slides may be overwritten.
        shown: whether to say how far it is.

    Raises:
        InputError: nothing to draw in ``folder``, or it can't be read; no matplotlib; ``out`` can't be written, or something there
            is no slide.
    """
    records, flag = read(folder, studies), f"--slides {out}"
    theme.need()
    found = [slide for name, kind in records.kinds.items() for slide in _slides(kind, records.found[name])]
    if not found:
        raise InputError(f"{folder} holds no record with a picture ({', '.join(records.kinds)}): nothing to make slides of")
    paths = {Path(out, f"{slide.picture.name}.{kind}"): kind for slide in found for kind in ("png", "svg")}
    with Claim(flag, Path(out), [path.name for path in paths], ".slides.lock") as claim:
        conflicts.protect([(path, flag) for path in paths], records.folder.glob("*.json"))
        conflicts.spare(flag, dict.fromkeys(paths, _judged), force)
        contents: dict[str, output.Content | None] = {}
        for slide in steps("slide", found, shown):
            for kind, content in drawn(slide).items():
                contents[f"{slide.picture.name}.{kind}"] = output.raw(content)
        try:
            claim.replace(contents)
        except OSError as error:
            raise InputError(f"{flag} can't be written ({output.reason(error)}): make room, or give another place") from None
    return list(paths)


def _slides(kind: Kind, record: Mapping[str, Any]) -> Iterable[Slide]:
    for picture in kind.pictures(record):
        yield Slide(picture, units.unbroken(brief(picture.finding or kind.headline(record))))


def _judged(path: Path) -> str:
    return "" if MADE.encode() in path.read_bytes()[:HEAD_BYTES] else "is no slide"


def brief(text: str, most: int = FINDING) -> str:
    """The first sentence, up to the last of its clauses that has room; without a full stop, as it is a title."""
    first = re.split(r"(?<=[^.\s])\.\s+(?=[A-Z])", text.strip())[0].rstrip(".")
    if len(first) > most:
        ends = [found.start() for found in re.finditer(r"[;,]\s", first[:most]) if found.start() > most // 3]
        first = first[: ends[-1]] if ends else f"{first[: most - 1].rstrip()}…"
    return first[:1].upper() + first[1:]


def drawn(slide: Slide) -> dict[str, bytes]:
    """As PNG and SVG. Its text is paths, so that it looks the same wherever it is shown."""
    from matplotlib import rcParams

    with theme.styled(narrow=False):
        rcParams.update({"svg.fonttype": "path", "font.size": TEXT / 2, "xtick.labelsize": TEXT / 2, "ytick.labelsize": TEXT / 2})
        figure = next(figure for times in SHRUNK if _fits(figure := _figure(slide, times)) or times == SHRUNK[-1])
        width = figure.get_figwidth() * 72
        png = theme.saved(figure, "png", dpi=PIXELS / width * 72, metadata={"Software": MADE})
        svg = theme.saved(figure, "svg", metadata={"Date": None, "Creator": MADE}).decode()
    return {"png": png, "svg": re.sub(r'(width|height)="([\d.]+)pt"', lambda at: _scaled(at, WIDTH / width), svg, count=2).encode()}


def _scaled(found: re.Match[str], times: float) -> str:
    return f'{found[1]}="{float(found[2]) * times:g}pt"'


def _figure(slide: Slide, times: float) -> "Figure":
    """Half as large as the slide, with text half as large: the marks, lines and gaps that pictures have are for such text."""
    from matplotlib.figure import Figure

    picture, mark = slide.picture, slide.picture.mark or "measured"
    width, height = (times * side / 2 for side in (WIDTH, HEIGHT))
    figure = Figure(figsize=(width / 72, height / 72), dpi=72, layout="constrained")
    top = height - GAP
    titles: dict[str, dict[str, Any]] = {
        slide.finding: {"weight": "bold", "color": LIGHT["text"]},
        f"{picture.title} ({mark})": {"color": LIGHT["warning" if picture.mark else "muted"]},
    }
    for text, look in titles.items():
        look |= {"va": "top", "wrap": True, "in_layout": False, "fontsize": times * TEXT / 2}
        line = figure.text(GAP / width, top / height, text, **look)
        top -= _height(figure, line) + GAP / 2
    picture.draw(figure, False)
    below = top
    for legend in figure.legends:  # outside the panels, which the layout knows only at the figure's edge
        legend.set_in_layout(False)
        legend.set_bbox_to_anchor((0, 0, 1, top / height), figure.transFigure)
        below = min(below, top - _height(figure, legend) - GAP / 2)
    engine: Any = figure.get_layout_engine()
    engine.set(rect=(0, 0, 1, below / height))
    return figure


def _height(figure: "Figure", part: Any) -> float:
    _laid_out(figure)
    return float(part.get_window_extent().height)


def _laid_out(figure: "Figure") -> bool:
    """Whether there was room for all."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        figure.draw_without_rendering()
    return not said


def _fits(figure: "Figure") -> bool:
    """Whether there is room for all, no two labels of an axis overlap, none is longer than its axis, and panels are not flat."""
    if not _laid_out(figure):
        return False
    panels = [axes for axes in figure.axes if axes.get_visible()]
    for axis, side in ((axis, side) for axes in panels for axis, side in ((axes.xaxis, "x"), (axes.yaxis, "y"))):
        ends = [label.get_window_extent() for label in axis.get_ticklabels() if label.get_text()]
        spans = sorted((getattr(end, f"{side}0"), getattr(end, f"{side}1")) for end in ends)
        if any(end > begin + 1 for (_, end), (begin, _) in pairwise(spans)):
            return False
    long = [axes.yaxis.label.get_window_extent().height > axes.get_window_extent().height + GAP for axes in panels]
    rows = {round(axes.get_position().y0, 2): axes.get_position().height for axes in panels}
    return not any(long) and sum(rows.values()) > AXES
