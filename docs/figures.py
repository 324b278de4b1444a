"""Sphinx: the figures that `make lecture` made, where they are there, in the colours of the page, and narrow ones on a phone."""

from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.parsers.rst import Directive

from mpi_pgd.report.theme import PALETTE

MADE = Path(__file__).parent / "lecture" / "made"
STYLE = """
figure.made { margin: 1.5rem 0 2rem; }
figure.made p { margin: 0.2rem 0; }
figure.made .finding { font-weight: 600; }
figure.made .facts, figure.made figcaption { color: var(--muted); font-size: 0.85rem; text-align: left; }
figure.made .doubt { color: var(--warning); font-size: 0.85rem; }
figure.made svg { display: block; width: 100%; height: auto; margin: 0.5rem 0; background: var(--page); }
figure.made svg.narrow { display: none; max-width: 480px; margin-inline: auto; }
figure.made svg text { font-family: var(--font-stack, sans-serif); }
figure.made code { font-size: 0.75rem; overflow-wrap: anywhere; }
@media (max-width: 600px) {
  figure.made svg.wide { display: none; }
  figure.made svg.narrow { display: block; }
}
"""


class Figures(Directive):
    """Those of a run, of these names or, without any, all."""

    required_arguments, optional_arguments = 1, 20

    def run(self) -> list[nodes.Node]:
        name, *pictures = self.arguments
        found = [path for path in sorted((MADE / name).glob("*.html")) if not pictures or path.stem[3:] in pictures]
        self.state.document.settings.env.note_dependency(str(MADE))
        if not found:
            return [nodes.paragraph("", "", nodes.emphasis("", f"`make lecture` puts figures here: {name}."))]
        return [nodes.raw("", path.read_text(encoding="utf-8"), format="html") for path in found]


def _style(app: Any, page: str, template: str, context: dict[str, Any], tree: Any) -> None:
    if page.startswith("lecture/"):
        light, dark = ("".join(f"--{name}:{pair[place]};" for name, pair in PALETTE.items()) for place in (0, 1))
        colours = f"figure.made{{{light}}} body[data-theme=dark] figure.made{{{dark}}}"
        colours += f"@media (prefers-color-scheme: dark){{body:not([data-theme=light]) figure.made{{{dark}}}}}"
        context["metatags"] = context.get("metatags", "") + f"<style>{colours}{STYLE}</style>"


def setup(app: Any) -> dict[str, Any]:
    """For Sphinx."""
    app.add_directive("figures", Figures)
    app.connect("html-page-context", _style)
    return {"parallel_read_safe": True}
