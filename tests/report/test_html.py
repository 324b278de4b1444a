"""The report as a file, and as a browser shows it: light, dark, on a phone and on paper."""

import json
import os
import re
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from mpi_pgd import InputError
from mpi_pgd.report import html, theme
from mpi_pgd.study import every
from tests.commands import command
from tests.launch import required
from tests.report import samples
from tests.thorough import thorough

pytest.importorskip("matplotlib", reason="no matplotlib here: pip install 'mpi_pgd[report]'")
pytestmark = pytest.mark.beside("pages")

SECTIONS = [
    "run",
    "compare",
    "scaling",
    "straggler",
    "solvers",
    "topology",
    "cache",
    "network",
    "plan",
    "diagram",
    "evaluate",
    "doctor",
    "formulas",
    "made",
]
RANKLESS = ("solvers", "topology", "cache", "plan")  # records whose pictures are the same on any number of ranks
EVIL = '<script>alert("1")</script><img src=x onerror=alert(2)> & \'"'


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# The file.


def test_the_files(tmp_path: Path) -> None:
    folder = samples.folder(tmp_path, compare=samples.compare(4), doctor=samples.doctor())
    written = html.write(str(folder), every())
    assert written[0] == folder / "report.html"
    names = {str(path.relative_to(folder)) for path in written}
    assert {"pictures/compare-cost.png", "pictures/compare-cost.svg"} <= names
    assert {f"tables/{name}.{kind}" for name in ("compare-time", "doctor") for kind in ("csv", "md", "tex")} <= names
    assert set(contents(folder)) == names | {"compare.json", "doctor.json", html.MANIFEST}


@pytest.mark.ranks(2, others=())
def test_what_real_runs_and_studies_leave(comm: Any, folder: Path) -> None:
    """The samples of the other tests are made up; these are not."""
    study = ("--rounds", 3, "--repeats", 1, "--out", folder)
    for words in (
        ("--solver", "nesterov", "--rounds", 20, "--trace", "--quiet", "--out", folder),
        ("compare", *study),
        ("scaling", *study),
        ("study", "straggler", "--rounds", 3, "--out", folder),
        ("study", "solvers", "--rounds", 9, "--out", folder),
        ("doctor", "--out", folder),
    ):
        assert command(comm, *words) == 0
    if comm.rank:
        return
    written = html.write(str(folder), every())
    text = written[0].read_text()
    assert "Rounds exhausted after 20 rounds" in text
    assert all(f'<section id="{name}">' in text for name in ("run", "compare", "scaling", "straggler", "solvers", "doctor", "made"))
    assert "The weights are not the same" not in text
    names = {path.stem for path in written if path.suffix == ".svg"}
    assert {
        "convergence",
        "ranks",
        "timeline",
        "compare-cost",
        "scaling-speedup",
        "scaling-cost",
        "straggler",
        "solvers-seconds",
    } <= names


def test_out_names_the_page(tmp_path: Path) -> None:
    folder = samples.folder(tmp_path / "run", doctor=samples.doctor())
    out = tmp_path / "new" / "page.html"
    assert html.write(str(folder), every(), str(out))[0] == out
    assert out.read_text().startswith("<!doctype html>")
    assert not (folder / "report.html").exists()


def test_out_is_a_folder(tmp_path: Path) -> None:
    folder = samples.folder(tmp_path, doctor=samples.doctor())
    with pytest.raises(InputError, match=r"--out .* is a folder"):
        html.write(str(folder), every(), str(folder))


def test_text_stays_text(tmp_path: Path) -> None:
    run, doctor, compare, plan = samples.run(3), samples.doctor(), samples.compare(3), samples.plan(8)
    run["costs"]["ranks"][1]["node"] = run["costs"]["sentence"] = run["command"] = run["machine"]["processor"] = EVIL
    doctor["rows"][0].update(check=EVIL, level=EVIL, finding=EVIL, advice=EVIL)
    compare["verdict"] = compare["rows"][0]["algorithm"] = compare["rows"][1]["mode"] = compare["versions"][EVIL] = EVIL
    plan["crossovers"], plan["inputs"] = [EVIL], {EVIL: {EVIL: EVIL}}
    folder = samples.folder(tmp_path / "a<b>&c", run=run, doctor=doctor, compare=compare, plan=plan)
    text = html.write(str(folder), every())[0].read_text()
    assert not re.search(r"<script|<img|onerror=alert\(2\)>", text)
    assert text.count("&lt;script&gt;") > 12
    assert "a&lt;b&gt;&amp;c" in text


def test_a_dollar_in_a_name_is_no_formula(tmp_path: Path) -> None:
    compare = samples.compare(3)
    for row, name in zip(compare["rows"], ("$x$", "$", "$\\frac$", "%s", "{}", "_"), strict=True):
        row["algorithm"] = name
    text = html.write(str(samples.folder(tmp_path, compare=compare)), every())[0].read_text()
    assert ">$\\frac$</text>" in text


class Tags(HTMLParser):
    """Every element that was opened is closed, in the right order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.addresses += [value or "" for key, value in attrs if key in ("src", "href", "action", "srcset")]
        if tag not in ("meta", "link"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.addresses += [value or "" for key, value in attrs if key in ("src", "href", "action", "srcset")]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_well_formed_and_self_contained(page: Path) -> None:
    text, tags = page.read_text(), Tags()
    tags.feed(text)
    assert tags.open == []
    assert all(address.startswith("#") or address == "data:," for address in tags.addresses)
    assert not re.search(r"@import|url\((?!#)|<script|<iframe|javascript:", text)


def test_the_numbers_are_there(page: Path) -> None:
    text = page.read_text()
    assert "Converged after 489 rounds" in text
    assert "rank 7 on node node2 was 1.8 times slower" in text.lower()
    assert samples.SHA in text
    assert "mpirun -n 8 python -m mpi_pgd scaling" in text
    assert "AMD EPYC 7B13" in text
    assert "openblas 0.3.31.188.0 Haswell" in text


@pytest.mark.usefixtures("undrawn")
def test_fingerprints_are_compared_where_the_data_are_the_same(tmp_path: Path) -> None:
    compare, scaling = samples.compare(4), samples.scaling([1, 2, 4])
    text = html.write(str(samples.folder(tmp_path, compare=compare, scaling=scaling)), every())[0].read_text()
    assert "All 6 rows came to the same weights, bit for bit" in text
    assert "the same data gave the same weights, bit for bit" in text
    compare["rows"][3]["weights_sha256"] = scaling["rows"][1]["weights_sha256"] = "0" * 64
    text = html.write(str(samples.folder(tmp_path, compare=compare, scaling=scaling)), every())[0].read_text()
    assert text.count("The weights are not the same for the same data") == 2


def test_what_fails_leaves_an_earlier_report_as_it_was(tmp_path: Path) -> None:
    folder = samples.folder(tmp_path, compare=samples.compare(4))
    html.write(str(folder), every())
    before = contents(folder)
    samples.folder(folder, compare=samples.compare(8))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 14, hard))  # tables fit, the page does not
    try:
        with pytest.raises(InputError, match=r"can't be written \(File too large"):
            html.write(str(folder), every())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    after = contents(folder)
    assert {name: after[name] for name in before if name != "compare.json"} == {
        name: text for name, text in before.items() if name != "compare.json"
    }
    assert set(after) == set(before)


def test_nothing_is_written_for_what_can_not_be_read(tmp_path: Path) -> None:
    folder = samples.folder(tmp_path, compare=samples.compare(4), plan={"format": 1})
    with pytest.raises(InputError):
        html.write(str(folder), every())
    assert set(contents(folder)) == {"compare.json", "plan.json"}


def test_a_file_in_the_way_of_the_folders(tmp_path: Path) -> None:
    folder = samples.folder(tmp_path, doctor=samples.doctor())
    (folder / "tables").write_text("mine")
    with pytest.raises(InputError, match=r"report.html can't be written \(File exists at .*tables\)"):
        html.write(str(folder), every())
    assert (folder / "tables").read_text() == "mine"


def test_without_matplotlib_one_sentence_says_what_to_install(tmp_path: Path) -> None:
    folder = samples.folder(tmp_path / "run", doctor=samples.doctor())
    (tmp_path / "matplotlib.py").write_text("raise ImportError('not here')\n")
    program = "import sys; from mpi_pgd.report import html; from mpi_pgd.study import every; html.write(sys.argv[1], every())"
    paths = os.pathsep.join([str(tmp_path), str(Path(html.__file__).parents[2])])
    done = subprocess.run(
        [sys.executable, "-c", program, str(folder)],
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stderr.strip().endswith("run pip install 'mpi_pgd[report]'")
    assert "InputError" in done.stderr


def test_matplotlib_is_not_imported_with_the_modules() -> None:
    program = "import sys, mpi_pgd.report.html; sys.exit('matplotlib' in sys.modules)"
    root = str(Path(html.__file__).parents[2])
    assert subprocess.run([sys.executable, "-c", program], env={**os.environ, "PYTHONPATH": root}, timeout=60).returncode == 0


# In a browser.

FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
)
# Width in CSS pixels, media type, colour scheme. 680 is A4 less the margins of the page.
VIEWS = {
    "light": (1000, "screen", "light"),
    "dark": (1000, "screen", "dark"),
    "narrow": (360, "screen", "light"),
    "narrow and dark": (360, "screen", "dark"),
    "between": (719, "screen", "light"),
    "paper": (680, "print", "light"),
}

FAULTS = (Path(__file__).parent / "faults.js").read_text()


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Chromium under selenium; without them the tests are skipped, or fail if MPI_PGD_REQUIRE names chromium."""
    binary = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    driver = shutil.which("chromedriver")
    try:
        from selenium import webdriver
    except ImportError:
        _missing("no selenium here: pip install 'mpi_pgd[test]'")
    if not binary or not driver:
        _missing("no chromium with chromedriver here: apt-get install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = binary
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    chromium = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    chromium.set_page_load_timeout(60)
    yield chromium
    chromium.quit()


def _missing(reason: str) -> None:
    if "chromium" in required():
        pytest.fail(f"{reason} (MPI_PGD_REQUIRE asks for it)", pytrace=False)
    pytest.skip(reason)


@pytest.fixture(scope="module", params=[1, thorough(64)])
def other_page(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of other numbers of ranks, with names that are too long for their place: what shows the ranks, and of the rounds' diagrams
    those with the fewest messages, the most, and one between.
    """
    record = {name: each for name, each in samples.everything(request.param).items() if name not in RANKLESS}
    rows = sorted(record["diagram"]["rows"], key=lambda row: int(row["messages"]))
    few = [(row["mode"], row["algorithm"]) for row in rows[:: (len(rows) - 1) // 2]]
    for part in ("rows", "sent", "growth"):
        record["diagram"][part] = [row for row in record["diagram"][part] if (row["mode"], row["algorithm"]) in few]
    for rank in record["run"]["costs"]["ranks"]:
        rank["node"] = "a-node-with-a-rather-long-name-0123.cluster.example.org"
    record["doctor"]["rows"][0]["finding"] = "/" + "a-path-that-no-line-can-break" * 6
    record["run"]["command"] = "mpirun " + "-" * 300
    folder = tmp_path_factory.mktemp("a-folder-with-a-long-name-" + "x" * 60)
    saved = theme.saved
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(theme, "saved", lambda figure, kind, **_: saved(figure, kind) if kind == "svg" else b"")  # no PNGs
        written = html.write(str(samples.folder(folder, **record)), every())
    assert len([path for path in written if path.suffix == ".svg"]) >= 10
    return written[0]


def look(browser: Any, page: Path, view: str, sections: Sequence[str] = SECTIONS) -> list[str]:
    """Open a page in a view; everything that is wrong with it."""
    for kind in ("browser", "performance"):
        browser.get_log(kind)
    turn(browser, page, view)
    width, media, _ = VIEWS[view]
    faults: list[str] = browser.execute_script(FAULTS, "narrow" if width < 720 and media == "screen" else "wide", sections)
    faults += [f"console: {entry['message']}" for entry in browser.get_log("browser")]
    return faults + [f"asked for {address}" for address in asked(browser, page) if address not in (page.as_uri(), "data:,")]


def turn(browser: Any, page: Path, view: str) -> None:
    """Show a page in a view. One that is open stays open: no script is in it, and what a view asks for is asked for then."""
    width, media, scheme = VIEWS[view]
    metrics = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 500}
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media, "features": features})
    if browser.current_url != page.as_uri():
        browser.get(page.as_uri())


def asked(browser: Any, page: Path) -> list[str]:
    """What the page loaded; the browser's own start page may still be loading, too."""
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    requests = [event["params"] for event in events if event["method"] == "Network.requestWillBeSent"]
    return [request["request"]["url"] for request in requests if request["documentURL"] == page.as_uri()]


@pytest.mark.parametrize("view", VIEWS)
def test_nothing_is_missing_or_overflows(browser: Any, page: Path, view: str) -> None:
    assert look(browser, page, view) == []


@pytest.mark.parametrize("view", ["dark", "narrow", "paper"])
def test_nor_with_other_numbers_of_ranks_and_long_names(browser: Any, other_page: Path, view: str) -> None:
    assert look(browser, other_page, view, [name for name in SECTIONS if name not in RANKLESS]) == []


def test_pictures_follow_the_scheme(browser: Any, page: Path) -> None:
    colours = []
    for view in ("light", "dark"):
        turn(browser, page, view)
        colours.append(browser.execute_script("return getComputedStyle(document.querySelector('figure svg text')).fill"))
    assert colours[0] != colours[1]


def test_the_browser_tells_what_is_wrong(browser: Any, page: Path, tmp_path: Path) -> None:
    """That the checks above can fail: each of these faults is found."""
    broken: tuple[dict[str, Callable[[str], str]], ...] = (
        {
            "the page is": lambda text: text.replace("<footer>", '<footer><div style="width:2000px">wide</div>', 1),
            "contrast": lambda text: text.replace("--muted:#555e67", "--muted:#999999", 1),
            "is cut off": lambda text: re.sub(r'(<text [^>]*?x=")([\d.]+)', r"\g<1>99999", text, count=1),
            "asked for": lambda text: text.replace("<footer>", '<footer><img src="http://127.0.0.1:9/x.png">', 1),
            "sections": lambda text: text.replace('id="plan"', 'id="plans"', 1),
        },
        {"shows 0 pictures": lambda text: text.replace("figure svg { display: block;", "figure svg { display: none;")},
    )
    for number, faults in enumerate(broken):
        text, path = page.read_text(), tmp_path / f"{number}.html"
        for change in faults.values():
            before, text = text, change(text)
            assert before != text
        path.write_text(text)
        found = look(browser, path, "light")
        assert [fault for fault in faults if not any(fault in each for each in found)] == []


def test_what_no_report_has_written_needs_force(tmp_path: Path) -> None:
    folder = samples.folder(tmp_path, doctor=samples.doctor())
    html.write(str(folder), every())
    html.write(str(folder), every())
    table, mine = folder / "tables" / "doctor.csv", tmp_path / "mine.html"
    table.write_text("my own changes")
    mine.write_text("<html>my own page")
    for out, words in (
        (None, "doctor.csv, which no report has written, or was changed since"),
        (str(mine), "mine.html, which is no report"),
    ):
        with pytest.raises(InputError, match=words):
            html.write(str(folder), every(), out)
    assert table.read_text() == "my own changes"
    html.write(str(folder), every(), str(mine), force=True)
    assert table.read_text() != "my own changes"
