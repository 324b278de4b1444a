"""Slides: 16:9, as PNG and SVG, with what was found as the title; nothing else is overwritten."""

import struct
from pathlib import Path

import pytest

from mpi_pgd import InputError
from mpi_pgd.report import slides
from mpi_pgd.study import every
from tests.report import samples

pytest.importorskip("matplotlib", reason="no matplotlib here: pip install 'mpi_pgd[report]'")

pytestmark = pytest.mark.beside("pages")


def test_the_files(tmp_path: Path) -> None:
    folder, out = samples.folder(tmp_path / "study", straggler=samples.straggler([1, 2, 4, 8])), tmp_path / "new" / "slides"
    written = slides.write(str(folder), every(), str(out))
    assert written == [out / "straggler.png", out / "straggler.svg"]
    png, svg = (path.read_bytes() for path in written)
    assert struct.unpack(">II", png[16:24]) == (1920, 1080)
    assert b'width="960pt" height="540pt"' in svg
    assert [path.read_bytes() for path in slides.write(str(folder), every(), str(out))] == [png, svg]
    assert {path.name for path in out.iterdir()} == {"straggler.png", "straggler.svg"}
    (out / "straggler.svg").write_text("<svg>mine</svg>")
    with pytest.raises(InputError, match=r"would overwrite .*straggler.svg, which is no slide"):
        slides.write(str(folder), every(), str(out))
    assert (out / "straggler.svg").read_text() == "<svg>mine</svg>"


def test_a_picture_with_many_rows_has_room_for_their_names(tmp_path: Path) -> None:
    record = samples.run(32)
    folder = samples.folder(tmp_path, run=record)
    kind = slides.read(str(folder), every()).kinds["run"]
    bars = next(slide for slide in slides._slides(kind, record) if slide.picture.name == "ranks")
    with slides.theme.styled(narrow=False):
        assert [slides._fits(slides._figure(bars, times)) for times in (1.0, slides.SHRUNK[-1])] == [False, True]


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("so it is. And more", "So it is"),
        ("2.5 of them were seen.", "2.5 of them were seen"),
        ("the first clause has room; so has this one, which this one has not", "The first clause has room; so has this one"),
        ("words without a clause in which to stop anywhere at all", "Words without a clause in which to stop anywhere…"),
    ],
)
def test_a_title_is_one_sentence_with_the_clauses_that_have_room(text: str, title: str) -> None:
    assert slides.brief(text, 50) == title


def test_nothing_to_draw(tmp_path: Path) -> None:
    folder = samples.folder(tmp_path / "study", doctor=samples.doctor())
    with pytest.raises(InputError, match=r"holds no record with a picture \(doctor\)"):
        slides.write(str(folder), every(), str(tmp_path / "slides"))
    assert not (tmp_path / "slides").exists()
