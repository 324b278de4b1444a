"""What is written is whole or not there, and never in the place of what is not the program's own."""

import itertools
import json
import os
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random

import h5py
import numpy as np
import pytest

from mpi_pgd import InputError
from mpi_pgd.comm import startup
from mpi_pgd.config import settings
from mpi_pgd.data import hdf5
from mpi_pgd.data.make import make
from mpi_pgd.recovery import checkpoint
from mpi_pgd.report import bundle
from mpi_pgd.session import places
from mpi_pgd.study import record as studies
from mpi_pgd.system import output
from tests.killed import killed

pytestmark = pytest.mark.beside("commands")

MODEL = {"solver": "gd", "x": "X", "y": "y"}


def rows(path: Path, count: int = 6) -> Path:
    x = np.arange(2.0 * count).reshape(count, 2)
    with h5py.File(path, "w") as file:
        file["X"], file["y"] = x, x.sum(axis=1)
    return path


def said(*data: Path, force: bool = False, **options: object) -> str:
    """What a run answers that would read and write these; nothing, if it would go ahead."""
    chosen = settings({"data": [str(path) for path in data], "force": force, **{key: str(value) for key, value in options.items()}})
    table = hdf5.inspect(list(chosen.data), chosen.x, chosen.y)
    try:
        places.spare(chosen, table, lambda: made(table))
    except InputError as error:
        return str(error)
    return ""


def made(table: hdf5.Table, value: float = 0.0) -> bundle.Bundle:
    files = [stamp._asdict() for part in table.parts for stamp in part.files]
    record = {"status": "converged", "weights_sha256": "", "config": dict(MODEL), "files": files}
    history = {name: [value] for name in ("round", "objective", "gradient_norm", "seconds")}
    return bundle.Bundle(record, history, np.full(2, value), value, ("a", "b"))


def fitted(out: Path, data: Path, value: float = 0.0) -> None:
    with bundle.claim(str(out)) as claim:
        bundle.write(claim, made(hdf5.inspect([str(data)], "X", "y"), value))


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_lists_of_numbers_are_lines_and_words_stay_as_they_are(tmp_path: Path) -> None:
    record = {"counts": [1, 2.5, [-3, 4]], "files": ["a[ 1 ].h5", "[\n 2 \n]"], "none": []}
    output.document(record)(tmp_path / "r.json")
    found = (tmp_path / "r.json").read_text()
    assert json.loads(found) == record
    assert "[-3, 4]" in found


def test_a_run_again_replaces_its_bundle_and_that_of_other_rows_needs_force(tmp_path: Path) -> None:
    first, other, out = rows(tmp_path / "a.h5"), rows(tmp_path / "b.h5"), tmp_path / "out"
    fitted(out, first)
    assert said(first, out=out) == ""
    (tmp_path / "link.h5").symlink_to(first)
    assert "is of other rows" in said(other, out=out)
    assert said(other, out=out, force=True) == ""


@pytest.mark.parametrize("name", bundle.FILES)
@pytest.mark.parametrize("content", ["", "{}", "my own notes", '{"status": 1}'])
def test_what_no_fit_has_written_needs_force(tmp_path: Path, name: str, content: str) -> None:
    data, out = rows(tmp_path / "a.h5"), tmp_path / "out"
    fitted(out, data)
    (out / name).write_text(content)
    assert "which no fit has written" in said(data, out=out)
    assert said(data, out=out, force=True) == ""
    assert (out / name).read_text() == content


def test_a_model_with_more_in_it_than_a_fit_wrote_needs_force(tmp_path: Path) -> None:
    data, out = rows(tmp_path / "a.h5"), tmp_path / "out"
    fitted(out, data)
    with h5py.File(out / "model.h5", "a") as file:
        file["predictions"] = np.zeros(3)
    assert "which no fit has written" in said(data, out=out)


def virtual(folder: Path, source: Path) -> Path:
    with h5py.File(folder / "virtual.h5", "w") as file:
        for name, shape in (("X", (6, 2)), ("y", (6,))):
            layout = h5py.VirtualLayout(shape, "f8")
            layout[:] = h5py.VirtualSource(str(source), name, shape)
            file.create_virtual_dataset(name, layout)
    return folder / "virtual.h5"


def linked(way: Callable[[Path, Path], None]) -> Callable[[Path, Path], Path]:
    def make_link(folder: Path, source: Path) -> Path:
        way(source, folder / "link.h5")
        return folder / "link.h5"

    return make_link


WAYS = {
    "itself": lambda folder, source: source,
    "hard link": linked(lambda source, link: os.link(source, link)),
    "symbolic link": linked(lambda source, link: link.symlink_to(source)),
    "virtual": virtual,
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("place", ["out", "checkpoint"])
def test_an_input_is_not_even_overwritten_with_force(tmp_path: Path, way: str, place: str) -> None:
    out = tmp_path / "out"
    out.mkdir()
    source = rows(out / "model.h5")
    data = WAYS[way](tmp_path, source)
    for force in (False, True):
        answer = said(data, force=force, **{place: out if place == "out" else source})
        assert "which this run reads" in answer


def test_the_checkpoint_to_go_on_from_is_an_input_unless_it_is_the_one_to_write(tmp_path: Path) -> None:
    from tests.recovery.test_checkpoint import made as saved

    data, old, new = rows(tmp_path / "a.h5"), tmp_path / "old.ckpt", tmp_path / "new.ckpt"
    checkpoint.write(old, saved()._replace(settings={"data": [str(data)], "x": "X", "y": "y"}))
    os.link(old, new)
    assert "which this run reads" in said(data, resume=old, checkpoint=new, force=True)
    assert said(data, resume=old, checkpoint=old) == ""
    assert said(data, checkpoint=new) == ""
    assert "is one of other rows" in said(rows(tmp_path / "b.h5"), checkpoint=new)
    assert said(tmp_path / "b.h5", checkpoint=new, force=True) == ""
    new.unlink()
    new.write_text("my own notes")
    assert "is no checkpoint" in said(data, checkpoint=new)


def test_the_settings_are_an_input(tmp_path: Path) -> None:
    from mpi_pgd.cli.fit import read

    data, path = rows(tmp_path / "a.h5"), tmp_path / "settings.toml"
    path.write_text("rounds = 5\n")
    with pytest.raises(InputError, match="which this run reads"):
        read([str(data), "--config", str(path), "--checkpoint", str(path), "--force"])
    assert read([str(data), "--config", str(path), "--out", str(tmp_path)]).settings["rounds"] == 5


def test_a_checkpoint_does_not_choose_where_to_write(tmp_path: Path) -> None:
    from mpi_pgd.cli.fit import read, told
    from tests.recovery.test_checkpoint import SETTINGS
    from tests.recovery.test_checkpoint import made as saved

    path, data = tmp_path / "run.ckpt", rows(tmp_path / "a.h5")
    checkpoint.write(path, saved()._replace(settings=SETTINGS | {"data": [str(data)], "out": "/there", "trace": True}))
    found = read(["--resume", str(path)])
    assert (found.settings["out"], found.settings["checkpoint"]) == ("", str(path))
    assert [line for line in told(found) if "give --out /there" in line] != []
    assert list(told(read(["--resume", str(path), "--out", "here"]))) == []


def test_two_outputs_in_one_place(tmp_path: Path) -> None:
    data = rows(tmp_path / "a.h5")
    (tmp_path / "out").mkdir()
    assert "would both write" in said(data, out=tmp_path / "out", checkpoint=tmp_path / "out" / "run.json", force=True)


@pytest.mark.parametrize("name", bundle.FILES)
def test_a_folder_in_the_place_of_a_file_is_known_at_the_start_and_undoes_what_was_begun(tmp_path: Path, name: str) -> None:
    """A folder named run.json: model.h5 was new, run.json old."""
    data, out = rows(tmp_path / "a.h5"), tmp_path / "out"
    fitted(out, data)
    (out / name).unlink(missing_ok=True)
    (out / name / "mine").mkdir(parents=True)
    assert "is a folder" in said(data, out=out, force=True)
    before = contents(out)
    table = hdf5.inspect([str(data)], "X", "y")
    with (
        bundle.claim(str(out)) as claim,
        pytest.raises(InputError, match="what was there is as it was"),
    ):
        bundle.write(claim, made(table, 9.0)._replace(timeline=(["n"], 0, np.zeros((1, 0, 7))) if name == "trace.json" else None))
    assert contents(out) == before


def test_an_exchange_that_fails_half_way_is_undone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data, out = rows(tmp_path / "a.h5"), tmp_path / "out"
    fitted(out, data)
    before, renamed = contents(out), Path.replace

    def fails_at_the_last(self: Path, target: Path) -> Path:
        if self.suffix == ".part" and Path(target).name == "run.json":
            raise OSError(5, "Input/output error")
        return renamed(self, target)

    monkeypatch.setattr(Path, "replace", fails_at_the_last)
    with pytest.raises(OSError, match="Input/output"):
        output.replace({out / name: output.text("new") for name in ("model.h5", "other", "run.json")})
    assert contents(out) == before


def exchange_again_and_again(folder: Path, done: Connection) -> None:
    for number in itertools.count():
        output.replace({folder / name: output.text(str(number)) for name in "abcd"})
        done.send_bytes(b"done")


def test_files_that_belong_together_are_so_after_a_kill(tmp_path: Path) -> None:
    """12 kills at moments that the seed chooses: before, within and after exchanges of four files."""
    draw = Random(1)
    for _ in range(12):
        with killed(exchange_again_and_again, tmp_path) as done:
            assert done.recv_bytes()
            time.sleep(draw.uniform(0, 0.01))
        output.tidy(tmp_path, "abcd")
        assert len({(tmp_path / name).read_text() for name in "abcd"}) == 1
        assert sorted(path.name for path in tmp_path.iterdir()) == list("abcd")


def test_what_a_killed_run_left_half_done_is_undone(tmp_path: Path) -> None:
    for name, text in {"a": "new", "b": "old", ".a.{}.old": "old", ".b.{}.part": "new", ".c.{}.old": "kept"}.items():
        (tmp_path / name.format("0123456789abcdef")).write_text(text)
    output.tidy(tmp_path, "ab")
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        "a": "old",
        "b": "old",
        ".c.0123456789abcdef.old": "kept",
    }


def test_a_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real" / "file")
    output.replace({tmp_path / "link": output.text("one")})
    output.replace({tmp_path / "link": output.text("two")})
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real" / "file").read_text() == "two"


def test_files_that_others_may_read_stay_so(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        output.replace({tmp_path / "a": output.text("")})
    finally:
        os.umask(before)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o644


def test_a_record_of_what_is_no_text(tmp_path: Path) -> None:
    """The bytes of names need not be UTF-8, and the terminal may speak ASCII."""
    found = output.readable({"a\udcff": ["b\udcfe", "größe", "z\0"], "n": 1})
    output.replace({tmp_path / "run.json": output.document(found)})
    assert json.loads((tmp_path / "run.json").read_text()) == {"a\\udcff": ["b\\udcfe", "größe", "z\\x00"], "n": 1}


def test_data_make_overwrites_only_what_it_made(tmp_path: Path) -> None:
    path = tmp_path / "made.h5"
    make(path, 10, 2)
    make(path, 20, 3)
    with h5py.File(path, "a") as file:
        file["mine"] = 1.0
    with pytest.raises(InputError, match="it has not made"):
        make(path, 10, 2)
    make(path, 10, 2, force=True)
    for content in (b"", b"\x89HDF\r\n\x1a\n", b"text"):
        path.write_bytes(content)
        with pytest.raises(InputError, match="it has not made"):
            make(path, 10, 2)
        assert path.read_bytes() == content
    assert [item.name for item in tmp_path.iterdir()] == ["made.h5"]


def test_a_study_overwrites_only_its_own_of_the_same_rows(tmp_path: Path) -> None:
    table = hdf5.inspect([str(rows(tmp_path / "a.h5"))], "X", "y")
    source, path = bundle.Source.of(table), tmp_path / "compare.json"
    studies.spare(str(tmp_path), "compare", False, source)
    with studies.claim(str(tmp_path), "compare") as claim:
        studies.write(claim, {"study": "compare", "files": [{"path": name} for name in source.files]})
    studies.spare(str(tmp_path), "compare", False, source)
    for content, words in (('{"study": "compare", "files": [{"path": "/b.h5"}]}', "other rows"), ("[1]", "no study compare")):
        path.write_text(content)
        with pytest.raises(InputError, match=words):
            studies.spare(str(tmp_path), "compare", False, source)
        studies.spare(str(tmp_path), "compare", True, source)
    path.unlink()
    os.link(tmp_path / "a.h5", path)
    with pytest.raises(InputError, match="which this run reads"):
        studies.spare(str(tmp_path), "compare", True, source)


def test_no_room_at_the_start_is_known_at_the_start(tmp_path: Path) -> None:
    data = rows(tmp_path / "a.h5")
    assert "can't be written (No such file or directory)" in said(data, out=tmp_path / "gone")


def test_a_file_for_the_exit_code_that_is_none_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "rows.h5"
    monkeypatch.setenv("MPI_PGD_EXIT", str(path))
    for content, after in (("75\n", "4\n"), ("", "4\n"), ("my own notes", "my own notes")):
        path.write_text(content)
        startup.unnoted()
        startup.note(4)
        assert path.read_text() == after
    assert "can't be written (it holds something else): the code is 4" in caplog.text
