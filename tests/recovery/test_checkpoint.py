"""A checkpoint reads back as it was written, is refused in one sentence if it was not, and is never half a file."""

import hashlib
import itertools
import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest

from mpi_pgd import InputError
from mpi_pgd.recovery import checkpoint
from mpi_pgd.recovery.checkpoint import Checkpoint
from mpi_pgd.recovery.differences import differences
from tests.killed import killed

pytestmark = pytest.mark.beside("programs")

SETTINGS = {"data": ["a.h5"], "solver": "gd", "step": "auto", "momentum": 0.9, "l2": 0.0, "intercept": True} | {
    "standardize": True,
    "sums": "order-free",
    "max_seconds": None,
    "rounds": 100,
}
DATA = {"rows": 200, "features": 3, "types": ["float64", "float64"], "digest": "ab" * 32}


def made(rounds: int = 7, **changes: Any) -> Checkpoint:
    draw = np.random.default_rng(rounds)
    good = Checkpoint(
        settings=dict(SETTINGS),
        data=dict(DATA),
        kernels="cd" * 32,
        versions={"mpi_pgd": "0.2.0"},
        rounds=rounds,
        elapsed=0.1,
        first="ef" * 32 if rounds else "",
        setup=np.concatenate([[4.0], draw.random(12), [200.0, 0.5]]),  # 3 columns and a target
        state=np.append(draw.normal(size=20), np.inf),  # what a solver keeps is its own business
        history=tuple(draw.random(rounds) for _ in checkpoint.COLUMNS),
        init=draw.normal(size=4 * (rounds % 3)),  # of no, one or two outputs
    )
    return good._replace(**changes)


def same(one: Checkpoint, other: Checkpoint) -> bool:
    arrays = [(x.setup, x.state, *x.history, x.init) for x in (one, other)]
    return one[:7] == other[:7] and all(a.tobytes() == b.tobytes() for a, b in zip(*arrays, strict=True))


def forged(path: Path, change: Callable[[dict[str, Any]], Any], tail: bytes = b"") -> Path:
    """A good file with another header, under a sum that is right."""
    checkpoint.write(path, made())
    magic, _, header, body = path.read_bytes().split(b"\n", 3)
    fields = json.loads(header)
    replaced = change(fields)
    new = json.dumps(fields if replaced is None else replaced).encode() + b"\n" + body + tail
    path.write_bytes(magic + b"\n" + hashlib.sha256(new).hexdigest().encode() + b"\n" + new)
    return path


def refused(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        checkpoint.read(path)
    sentence = str(caught.value)
    assert str(path) in sentence
    assert "\n" not in sentence
    return sentence


def prepared(path: str, force: bool = False) -> None:
    """As a run does before it works."""
    with checkpoint.claim(path):
        checkpoint.spare(path, SETTINGS | {"x": None, "y": None}, force)


NOTHING = np.empty(0)


@pytest.mark.parametrize(
    "kept",
    [
        made(),
        made(0),
        made(0, setup=NOTHING, state=NOTHING),
        made(0, state=NOTHING),
        made(settings=SETTINGS | {"data": ["naïve\n.h5", "\udcff"]}),
        made(setup=np.array([2.0, -0.0, 5e-324, 1 / 3, 0.0, 1e308, 1.0, 9.0, 0.0])),
    ],
    ids=["usual", "before the first round", "before the setup", "before a state", "names", "numbers"],
)
def test_what_is_written_reads_back_to_the_bit(tmp_path: Path, kept: Checkpoint) -> None:
    checkpoint.write(tmp_path / "run.ckpt", made(3))
    checkpoint.write(tmp_path / "run.ckpt", kept)
    found = checkpoint.read(tmp_path / "run.ckpt")
    assert same(found, kept)
    assert found.state.dtype == np.float64
    assert found.state.flags.writeable
    assert [path.name for path in tmp_path.iterdir()] == ["run.ckpt"]


def test_the_format(tmp_path: Path) -> None:
    checkpoint.write(tmp_path / "run.ckpt", made())
    magic, digest, rest = (tmp_path / "run.ckpt").read_bytes().split(b"\n", 2)
    header, body = rest.split(b"\n", 1)
    assert magic == b"mpi_pgd checkpoint 4"
    assert digest.decode() == hashlib.sha256(rest).hexdigest()
    assert json.loads(header)["arrays"] == {"setup": 15, "state": 21, "init": 4} | dict.fromkeys(checkpoint.COLUMNS, 7)
    assert body == np.concatenate([made().setup, made().state, *made().history, made().init]).astype("<f8").tobytes()


def test_a_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "run.ckpt").symlink_to(tmp_path / "there" / "real.ckpt")
    checkpoint.write(tmp_path / "run.ckpt", made())
    assert (tmp_path / "run.ckpt").is_symlink()
    assert same(checkpoint.read(tmp_path / "there" / "real.ckpt"), made())


@pytest.mark.parametrize(
    "bad",
    [
        made(setup=np.append(made().setup[:-1], np.nan)),
        made(init=np.append(made().init[:-1], np.inf)),
        made(init=made().init[1:]),
        made(history=(np.zeros(6), np.zeros(7), np.zeros(7), np.zeros(7))),
        made(first=""),
        made(first="ef"),
        made(settings=SETTINGS | {"max_seconds": float("inf")}),
    ],
    ids=["setup", "init", "init of other features", "history", "no digest", "half a digest", "settings"],
)
def test_what_could_not_be_read_again_is_not_written(tmp_path: Path, bad: Checkpoint) -> None:
    checkpoint.write(tmp_path / "run.ckpt", made())
    with pytest.raises(ValueError, match=r"read again|JSON compliant"):
        checkpoint.write(tmp_path / "run.ckpt", bad)
    assert same(checkpoint.read(tmp_path / "run.ckpt"), made())


@pytest.mark.parametrize("place", ["gone.ckpt", "file/run.ckpt"])
def test_a_file_that_is_not_there(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("")
    assert "can't be read" in refused(tmp_path / place)


def test_a_folder(tmp_path: Path) -> None:
    assert "is a folder" in refused(tmp_path)


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert "no ordinary file" in refused(tmp_path / "pipe")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read any file")
def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    checkpoint.write(tmp_path / "run.ckpt", made())
    (tmp_path / "run.ckpt").chmod(0)
    assert "Permission denied" in refused(tmp_path / "run.ckpt")


@pytest.mark.parametrize("content", [b"", b"x,y\n1,2\n", b"\x89HDF\r\n\x1a\n" + bytes(4096), b"mpi_pgd"])
def test_another_file(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "run.ckpt").write_bytes(content)
    assert "is no checkpoint" in refused(tmp_path / "run.ckpt")


def test_a_newer_format(tmp_path: Path) -> None:
    checkpoint.write(tmp_path / "run.ckpt", made())
    newer = (tmp_path / "run.ckpt").read_bytes().replace(b"checkpoint 4\n", b"checkpoint 5\n")
    (tmp_path / "run.ckpt").write_bytes(newer)
    assert "another format (5, expected 4)" in refused(tmp_path / "run.ckpt")


def test_every_cut_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "run.ckpt"
    checkpoint.write(path, made())
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        sentence = refused(path)
        assert "damaged" in sentence or length <= 21
    assert "it is cut short" in sentence


def test_every_flipped_bit_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "run.ckpt"
    checkpoint.write(path, made(2))
    whole = path.read_bytes()
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1 << place % 8]) + whole[place + 1 :])
        refused(path)
    assert "its checksum is another" in refused(path)


def test_more_bytes_than_there_should_be(tmp_path: Path) -> None:
    checkpoint.write(tmp_path / "run.ckpt", made())
    with (tmp_path / "run.ckpt").open("ab") as stream:
        stream.write(b"\0" * 8)
    assert "damaged, it has" in refused(tmp_path / "run.ckpt")


FORGERIES: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "a list": (lambda fields: [1, 2], "expected an object"),
    "a missing key": (lambda fields: fields.pop("kernels") and None, "expected an object"),
    "settings no object": (lambda fields: fields.update(settings=[]), "settings is of another type"),
    "rounds a word": (lambda fields: fields.update(rounds="7"), "rounds is of another type"),
    "rounds true": (lambda fields: fields.update(rounds=True), "rounds is of another type"),
    "rounds negative": (lambda fields: fields.update(rounds=-1), "history"),
    "other rounds": (lambda fields: fields.update(rounds=8), "history"),
    "elapsed infinite": (lambda fields: fields.update(elapsed=float("inf")), "its header can't be used"),
    "elapsed NaN": (lambda fields: fields.update(elapsed=float("nan")), "its header can't be used"),
    "features infinite": (lambda fields: fields["data"].update(features=float("inf")), "its header can't be used"),
    "elapsed too long": (lambda fields: fields.update(elapsed=10**400), "elapsed is no time"),
    "no arrays": (lambda fields: fields.update(arrays={}), "lengths"),
    "another array": (lambda fields: fields["arrays"].update(more=0), "lengths"),
    "a negative length": (lambda fields: fields["arrays"].update(setup=-9, state=45), "lengths"),
    "a broken length": (lambda fields: fields["arrays"].update(setup=9.0), "lengths"),
    "a huge length": (lambda fields: fields["arrays"].update(state=2**62), "it is cut short"),
    "a length beyond 64 bits": (lambda fields: fields["arrays"].update(state=10**30), "it is cut short"),
    "numbers moved": (lambda fields: fields["arrays"].update(setup=8, state=28), "its setup has 8 numbers"),
    "history moved": (lambda fields: fields["arrays"].update(objective=6, seconds=8), "history"),
    "no setup": (lambda fields: fields["arrays"].update(setup=0, state=36), "a state without a setup"),
    "no state": (lambda fields: fields["arrays"].update(setup=36, state=0), "rounds without a state"),
    "infinity in the history": (
        lambda fields: fields.update(rounds=9, arrays=dict.fromkeys(checkpoint.ARRAYS, 9) | {"state": 14}),
        "not finite",
    ),
}


@pytest.mark.parametrize("name", FORGERIES)
def test_nonsense_under_a_right_sum(tmp_path: Path, name: str) -> None:
    change, words = FORGERIES[name]
    assert words in refused(forged(tmp_path / "run.ckpt", change))


def test_a_header_of_too_many_brackets(tmp_path: Path) -> None:
    body = b"[" * 100_000 + b"\n"
    head = b"mpi_pgd checkpoint 4\n" + hashlib.sha256(body).hexdigest().encode() + b"\n"
    (tmp_path / "run.ckpt").write_bytes(head + body)
    assert "its header can't be used" in refused(tmp_path / "run.ckpt")


def test_a_negative_deviation(tmp_path: Path) -> None:
    path = tmp_path / "run.ckpt"
    checkpoint.write(path, made(setup=np.array([2.0, 1.0, 2.0, 3.25, 4.0, 5.0, 6.0, 7.0, 0.0])))
    whole = path.read_bytes().split(b"\n", 2)[2].replace(np.array(3.25).tobytes(), np.array(-3.25).tobytes())
    path.write_bytes(b"mpi_pgd checkpoint 4\n" + hashlib.sha256(whole).hexdigest().encode() + b"\n" + whole)
    assert "negative deviation" in refused(path)


def test_prepare_makes_the_folder_and_leaves_nothing(tmp_path: Path) -> None:
    prepared(str(tmp_path / "a" / "b" / "run.ckpt"))
    assert list(tmp_path.iterdir()) == []  # nor the folders, where nothing came into them


def test_prepare_keeps_an_earlier_checkpoint_and_removes_what_a_killed_run_left(tmp_path: Path) -> None:
    path = tmp_path / "run.ckpt"
    checkpoint.write(path, made())
    (tmp_path / ".run.ckpt.0123456789abcdef.part").write_text("half a")
    kept = [tmp_path / name for name in (".run.ckpt.part", ".other.ckpt.0123456789abcdef.part", ".run.ckpt.0123456789.part")]
    for other in kept:
        other.write_text("another's")
    prepared(str(path))
    assert sorted(tmp_path.iterdir()) == sorted([path, *kept])
    assert same(checkpoint.read(path), made())


@pytest.mark.parametrize("content", [b"", b"mpi_pgd checkpoint 3\ndamaged"])
def test_prepare_lets_nothing_and_a_damaged_checkpoint_be_replaced(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "run.ckpt").write_bytes(content)
    prepared(str(tmp_path / "run.ckpt"))
    assert (tmp_path / "run.ckpt").read_bytes() == content


def test_prepare_refuses_what_would_be_lost(tmp_path: Path) -> None:
    (tmp_path / "data.h5").write_bytes(b"\x89HDF\r\n\x1a\n")
    with pytest.raises(InputError, match=r"data\.h5, which is no checkpoint"):
        prepared(str(tmp_path / "data.h5"))


@pytest.mark.parametrize(
    ("name", "words"),
    [("", "is a folder"), ("pipe", "no ordinary file"), ("file/run.ckpt", "can't be written"), ("x" * 250, "name")],
)
def test_prepare_refuses_what_can_not_be_written(tmp_path: Path, name: str, words: str) -> None:
    (tmp_path / "file").write_text("")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match=words):
        prepared(str(tmp_path / name))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_prepare_and_write_in_a_folder_that_may_not_be_written(tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0o500)
    for attempt in (prepared, lambda path: checkpoint.write(path, made())):
        with pytest.raises(InputError, match="can't be written"):
            attempt(str(tmp_path / "closed" / "run.ckpt"))


def test_write_into_a_folder_that_has_gone(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gone/run\.ckpt can't be written \(No such file or directory\)"):
        checkpoint.write(tmp_path / "gone" / "run.ckpt", made())


def test_no_differences() -> None:
    now = SETTINGS | {"l2": 0, "data": ("b.h5",), "rounds": 5, "max_seconds": float("inf"), "mode": "peer-to-peer"}
    assert differences(made(), now, dict(DATA)) == []


def test_differences_are_phrases() -> None:
    found = differences(
        made(),
        SETTINGS | {"solver": "nesterov", "step": 0.5, "l2": 0.1, "intercept": False},
        {"rows": 100, "features": 3, "types": ["float32", "float64"], "digest": "ef" * 32, "more": 1},
    )
    assert found == [
        "--solver is nesterov, the checkpoint has gd",
        "--intercept is false, the checkpoint has true",
        "--l2 is 0.1, the checkpoint has 0",
        "--step is 0.5, the checkpoint has auto",
        "the data have 100 rows, the checkpoint's 200",
        'the types of the data is ["float32", "float64"], the checkpoint\'s ["float64", "float64"]',
        "the digest of the data is not the checkpoint's",
        "the more of the data is 1, the checkpoint's null",
    ]


def write_again_and_again(path: Path, written: Connection) -> None:
    for rounds in itertools.count(1):
        checkpoint.write(path, made(rounds % 2000))
        written.send_bytes(b"written")


def test_a_killed_writer_leaves_a_whole_file(tmp_path: Path) -> None:
    """25 times, at moments that the seed chooses: between, before and within writes of 1 to 50 KB."""
    path, draw = tmp_path / "run.ckpt", Random(0)
    for _ in range(25):
        with killed(write_again_and_again, path) as written:
            assert written.recv_bytes()  # it writes now
            time.sleep(draw.uniform(0, 0.02))
        found = checkpoint.read(path)
        assert same(found, made(found.rounds))
    prepared(str(path))
    assert list(tmp_path.iterdir()) == [path]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """64 KiB in memory, which only root can mount."""
    (tmp_path / "disk").mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", tmp_path / "disk"], capture_output=True, check=False)
    if made.returncode != 0:
        pytest.skip(f"no small disk can be mounted here: {made.stderr.decode().strip()}")
    yield tmp_path / "disk"
    subprocess.run(["umount", "-l", tmp_path / "disk"], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")
def test_a_full_disk_leaves_the_last_one_and_nothing_else(small_disk: Path) -> None:
    checkpoint.write(small_disk / "run.ckpt", made(10))
    with pytest.raises(InputError, match=r"run\.ckpt can't be written \(No space left on device\), the last one there is intact"):
        checkpoint.write(small_disk / "run.ckpt", made(5000))
    assert [path.name for path in small_disk.iterdir()] == ["run.ckpt"]
    assert same(checkpoint.read(small_disk / "run.ckpt"), made(10))
