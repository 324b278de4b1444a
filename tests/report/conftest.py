"""Pages of all records, and their pictures: to draw them takes most of a report's time, so many tests look at the same."""

from pathlib import Path

import pytest

from mpi_pgd.report import html, theme
from mpi_pgd.report.markup import Markup
from mpi_pgd.report.theme import Drawn, Picture
from mpi_pgd.study import every
from tests.report import samples


@pytest.fixture(scope="session")
def reported(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Drawn]]:
    """A page, and by name what was drawn for it."""
    drawn, saved, found = theme.drawn, theme.saved, list[Drawn]()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(theme, "drawn", lambda picture: found.append(drawn(picture)) or found[-1])
        # No test looks at the dots, which take long.
        patch.setattr(theme, "saved", lambda figure, kind, **more: saved(figure, kind, **more if kind == "svg" else {"dpi": 9}))
        page = html.write(str(samples.folder(tmp_path_factory.mktemp("report"), **samples.everything())), every())[0]
    return page, {each.picture.name: each for each in found}


@pytest.fixture(scope="session")
def page(reported: tuple[Path, dict[str, Drawn]]) -> Path:
    return reported[0]


@pytest.fixture(scope="session")
def all_drawn(reported: tuple[Path, dict[str, Drawn]]) -> dict[str, Drawn]:
    return reported[1]


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests of what a page says beside its pictures, which are then empty."""

    def blank(picture: Picture) -> Drawn:
        return Drawn(picture, b"", b"", Markup(""), Markup(""))

    monkeypatch.setattr(theme, "drawn", blank)
