"""``report``: a folder's run and studies as one HTML file. Without ranks."""

from collections.abc import Sequence

from mpi_pgd.cli.arguments import Parser
from mpi_pgd.errors import InputError


def parser() -> Parser:
    """Its flags."""
    made = Parser(
        "python -m mpi_pgd report DIR [--out FILE.html | --slides OUT]",
        "Make one HTML file of the run bundle or the studies in DIR, readable offline; the pictures also as PNG and SVG in\n"
        "DIR/pictures, the tables as CSV, Markdown and LaTeX in DIR/tables. Where scaling.json of several jobs lie in DIR's\n"
        "subfolders, and no run and no scaling in DIR itself, they become one study, DIR/scaling.json.",
    )
    made.add_argument("folder", nargs="?", metavar="DIR", help="folder that --out was given to")
    made.add_argument("--out", metavar="FILE.html", help="default: DIR/report.html")
    slides = "only the pictures, into this folder, each as a slide: 16:9, PNG and SVG, 24 pt, what was found as its title"
    made.add_argument("--slides", metavar="OUT", help=slides)
    made.add_argument("--force", action="store_true", help="overwrite what no report has written")
    made.add_quiet()
    return made


def main(words: Sequence[str]) -> int:
    """Make the report, and say where it is."""
    from mpi_pgd.report import html, slides
    from mpi_pgd.study import every
    from mpi_pgd.study.scaling.merge import merge

    arguments = parser().read(words)
    if arguments.folder is None:
        raise InputError("report was given no folder: expected the one that --out was given to in a run or a study")
    if arguments.slides is not None and arguments.out is not None:
        raise InputError("report was given --out, which names the page, and --slides, which makes none: give one of them")
    joined, shown = merge(arguments.folder), not arguments.quiet
    if arguments.slides is not None:
        files = slides.write(arguments.folder, every(), arguments.slides, arguments.force, shown)
    else:
        files = html.write(arguments.folder, every(), arguments.out, arguments.force, shown)
    if arguments.quiet:
        return 0
    if joined:
        print(f"{joined} has the rows of all jobs")
    if arguments.slides is not None:
        print(f"{len(files) // 2} slides in {arguments.slides}, each as PNG and SVG")
    else:
        print(f"{files[0]}, with {len(files) - 1} pictures and tables beside it")
    return 0
