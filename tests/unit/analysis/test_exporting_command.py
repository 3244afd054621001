"""The verb `export`: what is said where, signals, and a disk that is full."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

import simcore as api
from simcore.cli import main, redelivery
from simcore.cli.program import app
from simcore.store import CHUNK_ROWS, Results

from . import funnel_samples

pytest.importorskip("pyarrow")
pytest.importorskip("h5netcdf")

from analysis.exporting import selection

LIMIT = 120.0  # seconds to wait for what must happen; never a measure of anything


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("results") / "sample.h5"
    funnel_samples.write(funnel_samples.make_counts(2 * CHUNK_ROWS, bound_mean=2.0), target=target).close()
    return target


def program(*arguments: str, before: str = "", **options: str) -> subprocess.CompletedProcess[str]:
    """Run the program in a process of its own, after some statements."""
    code = f"import sys\n{textwrap.dedent(before)}\nfrom simcore.cli import main\nsys.exit(main(sys.argv[1:]))"
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=LIMIT,
        env={**os.environ, **options},
    )


def test_what_was_written_is_said_on_standard_error(path: Path, tmp_path: Path) -> None:
    done = program("export", str(path), "-o", str(tmp_path / "t.csv"), "--by", "origin", "--variables", "victims")
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert lines[0].startswith(f"{tmp_path / 't.csv'}: {4 * CHUNK_ROWS:,} lines, ")
    assert lines[1].startswith(f"{tmp_path / 't.csv.json'}: ")
    assert lines[2].endswith("small cells (1 to 9) are hidden; --small-cells show gives them")
    assert "not estimates of prevalence" in lines[3]
    silent = program("export", str(path), "-o", str(tmp_path / "q.csv"), "-q")
    assert (silent.returncode, silent.stdout, silent.stderr) == (0, "", "")


def test_json_says_everything(path: Path, tmp_path: Path) -> None:
    done = program("export", str(path), "-o", str(tmp_path / "t.nc"), "--small-cells", "show", "--json", "-q")
    assert done.returncode == 0, done.stderr
    content = json.loads(done.stdout)
    assert content["files"] == [str(tmp_path / "t.nc")]
    assert content["format"] == "arviz"
    assert content["hidden"] == 0
    assert content["bytes"] == (tmp_path / "t.nc").stat().st_size
    assert content["description"]["small_cells"] == "shown"


def test_mistakes_are_one_line_with_the_option(
    path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    cases = [
        (["-o", "t.xlsx"], "-o t.xlsx: must end in one of"),
        (["-o", "t.csv", "--what", "counst"], "--what counst: unknown; did you mean 'counts'"),
        (["-o", "t.csv", "--rows", "5"], "--rows 5: must be FIRST:END"),
        (["-o", "t.csv", "--rows", "5:99999"], "--rows 5:99999: must be FIRST:END with"),
        (["-o", "t.csv", "--rows", "1" * 40 + ":"], ": must be FIRST:END, such as 0:1000"),
        (["-o", "t.csv", "--small-cells", "no"], "--small-cells no: unknown"),
        (["-o", "t.csv", "--by", "sex,,origin"], "--by sex,,origin: must be names separated by commas"),
        (["-o", "t.csv", "--variables", "victims,victims"], "--variables victims,victims: victims is named twice"),
        (["-o", "t.csv", "--what", "summary", "--rows", "0:5"], "--rows 0:5: does not go with 'summary'"),
        (["-o", "t.csv", "--level", "90"], "--level 90: must lie between 0 and 1"),
        (["-o", "t.csv", "--format", "xml"], "--format xml: unknown"),
        ([], "Missing option '--output' / '-o'"),
    ]
    monkeypatch.chdir(tmp_path)
    for arguments, words in cases:
        assert main(["export", str(path), *arguments]) == 2, arguments
        said = capsys.readouterr()
        assert said.err.startswith("error: "), said.err
        assert words in said.err
        assert said.err.count("\n") == 1
        assert said.out == ""
    assert list(tmp_path.iterdir()) == []


# Signals --------------------------------------------------------------------------------------------------------------

SLOW = """
    import time
    import analysis.exporting.selection as selection
    selection.LARGEST_PIECE = 4096  # many pieces, and time between them
    own, calls = selection.Selection.pieces, []
    def slowly(self, results, variable):
        for piece in own(self, results, variable):
            wait()
            yield piece
    selection.Selection.pieces = slowly
    import simcore.store.reader as reader
    read = reader.Results.read
    def read_slowly(self, *arguments, **options):
        wait()
        return read(self, *arguments, **options)
    reader.Results.read = read_slowly
    def wait():
        calls.append(0)
        time.sleep(0.02 if len(calls) < 20 else 60.0)  # it cannot end before the signal comes
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("name", ["t.parquet", "t.csv", "t.csv.gz", "t.nc"])
def test_a_signal_ends_it_and_leaves_nothing(path: Path, tmp_path: Path, name: str, number: signal.Signals) -> None:
    code = f"import sys\n{textwrap.dedent(SLOW)}\nfrom simcore.cli import main\nsys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", code, "export", str(path), "-o", str(tmp_path / name), "--by", "origin,sex"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    end = time.monotonic() + LIMIT
    while not any(".partial-" in each.name for each in tmp_path.iterdir()):  # until it writes
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.005)
    process.send_signal(number)
    out, err = process.communicate(timeout=LIMIT)
    assert process.returncode == 130, err
    assert out == ""
    assert err == "interrupted\n"
    assert list(tmp_path.iterdir()) == []


class Removed:
    """An object in whose removal a signal comes; Python drops what the handler raises there."""

    def __del__(self) -> None:
        os.kill(os.getpid(), signal.SIGTERM)


@pytest.mark.parametrize("name", ["t.parquet", "t.csv", "t.csv.gz", "t.nc"])
@pytest.mark.parametrize("again", [True, False])
def test_a_signal_that_python_drops_ends_it_as_well(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    name: str, again: bool,
) -> None:  # fmt: skip
    """It is raised again; and if that failed, the next piece of the table would be the last."""
    reads: list[None] = []
    own = Results.read

    def with_a_signal(self: Results, *arguments: Any, **options: Any) -> Any:
        reads.append(None)
        if len(reads) == 2:
            Removed()
            time.sleep(LIMIT if again else 0.0)
        return own(self, *arguments, **options)

    monkeypatch.setattr(selection, "LARGEST_PIECE", 4096)
    monkeypatch.setattr(Results, "read", with_a_signal)
    if not again:
        monkeypatch.setattr(redelivery.Redelivery, "_send", lambda self: None)
    # Not by `main`, which would end this process where other tests have left threads.
    arguments = ["export", str(path), "-o", str(tmp_path / name), "--by", "origin,sex"]
    assert get_command(app).main(arguments, standalone_mode=False) == 130
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "interrupted\n")
    assert len(reads) <= 9  # once for each variable of a piece, and once more
    assert list(tmp_path.iterdir()) == []


# A full disk ----------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on the size of files")
@pytest.mark.parametrize("name", ["t.parquet", "t.csv", "t.csv.gz", "t.nc"])
@pytest.mark.parametrize("room", [0.0, 0.02, 0.1, 0.3, 0.9, 0.999])
def test_a_full_disk_is_one_line_and_leaves_nothing(path: Path, tmp_path: Path, name: str, room: float) -> None:
    """At its start, in its midst, and at its end, where footers and what was buffered are written."""
    whole = program("export", str(path), "-o", str(tmp_path / name), "--by", "origin")
    assert whole.returncode == 0, whole.stderr
    size = int((tmp_path / name).stat().st_size * room)
    for each in list(tmp_path.iterdir()):
        each.unlink()
    limit = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({size}, {size}))"
    done = program(
        *("export", str(path), "-o", str(tmp_path / name), "--by", "origin"), before=limit, PYTHONDONTWRITEBYTECODE="1"
    )
    assert done.returncode == 1, done.stderr
    assert done.stderr == f"error: {tmp_path / name}: could not be written: File too large; nothing was kept\n"
    assert list(tmp_path.iterdir()) == []


def test_help_is_quick_to_come() -> None:
    """The verb loads neither arrays nor tables before it runs."""
    code = (
        "import sys, analysis.exporting.command_line\n"
        "heavy = {'numpy', 'pandas', 'pyarrow', 'h5py', 'h5netcdf', 'rich'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# As documented --------------------------------------------------------------------------------------------------------

PAGE = Path(__file__).parents[3] / "docs" / "export.md"


def test_the_page_does_what_it_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every command, every block of Python and that of R, on a short run; R and pandas read the same numbers."""
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    monkeypatch.chdir(tmp_path)
    api.run("phase1", replicates=60, seed=2005, output="phase1.h5").close()
    commands = [line for language, block in blocks if not language for line in block.splitlines() if "export" in line]
    assert len(commands) == 10
    for command in commands:
        assert main([*shlex.split(command, comments=True)[1:], "-q"]) == 0, command
    found: dict[str, Any] = {}
    for language, block in blocks:
        if language == "python":
            exec(block, found)  # noqa: S102
    assert found["done"].lines == 60 * 8 * (1 + 8)
    assert dict(found["arrived"].sizes) == {"chain": 1, "draw": 60}
    found["tree"].close()
    said = capsys.readouterr().out
    assert "event_hazard" in said
    if shutil.which("Rscript") is None:
        pytest.skip("Rscript is not installed (Debian: r-base-core)")
    Path("page.R").write_text("".join(block for language, block in blocks if language == "r"), encoding="utf-8")
    shown = subprocess.run(["Rscript", "page.R"], capture_output=True, text=True, check=True).stdout.split()
    expected = found["line"]["SLV"].quantile([0.05, 0.5, 0.95])
    assert [float(each) for each in shown[3:6]] == pytest.approx(expected.tolist(), rel=1e-4)
    ranks = found["line"]["SLV"].corr(found["theta"]["event_hazard"], method="spearman")
    assert float(shown[7]) == pytest.approx(ranks, rel=1e-5)
