"""Bad input: one line that names what is wrong, exit code 2, no traceback, nothing written."""

from __future__ import annotations

from pathlib import Path

import h5py
import pytest

from .conftest import TINY, Call

ABSENT_FOLDER = str(Path("no") / "such" / "x.h5")


def run(*arguments: str) -> list[str]:
    """Arguments of a run that is in order but for ``arguments``."""
    return ["run", TINY, *arguments]


MISTAKES = [
    # counts
    (run("-n", "0"), ["-n", "0", "from 1 to 4294967295"]),
    (run("-n", "-5"), ["-n", "-5", "from 1 to 4294967295"]),
    (run("-n", "many"), ["-n", "many", "whole number"]),
    (run("-n", "1.5"), ["-n", "1.5", "whole number"]),
    (run("-n", "5000000000"), ["-n", "5000000000", "4294967295"]),
    (run("-n", ""), ["-n", "whole number"]),
    (run("-n", "nan"), ["-n", "nan", "whole number"]),
    (run("-n", "٣"), ["-n", "whole number"]),
    (run(), ["-n", "--nested"]),
    (run("-n", "5", "--nested", "2x3"), ["-n", "--nested", "not both"]),
    (run("--nested", "2by3"), ["--nested", "2by3", "200x500"]),
    (run("--nested", "0x3"), ["--nested 0x3: parameter sets 0: must be", "from 1 to"]),
    (run("--nested", "3x2.5"), ["--nested 3x2.5: replicates of each set 2.5: must be", "from 1 to"]),
    (run("--nested", "3x"), ["--nested 3x: the number of replicates of each set is missing after the x"]),
    (run("--nested", "x3"), ["--nested x3: the number of parameter sets is missing before the x"]),
    (run("--nested", "4000000000x4000000000"), ["--nested", "limit 1000000000000"]),
    # other options
    (run("-n", "5", "-s", "-1"), ["--seed", "-1", "from 0 to 18446744073709551615"]),
    (run("-n", "5", "-s", "18446744073709551616"), ["--seed", "18446744073709551615"]),
    (run("-n", "5", "-s", "x"), ["--seed", "x", "whole number"]),
    (run("-n", "5", "-j", "0"), ["--threads", "0", "from 1 to 1024"]),
    (run("-n", "5", "--engine", "agnet"), ["--engine", "agnet", "'agent'"]),
    (run("-n", "5", "--walker", "colapsed"), ["--walker", "colapsed", "'collapsed'"]),
    (run("-n", "5", "--store-by", "orign"), ["--store-by", "orign", "'origin'"]),
    (run("-n", "5", "--engine", "cohort", "--walker", "leg-by-leg"), ["--engine cohort --walker leg-by-leg: "]),
    (run("-n", "5", "--store-by", "sex,,origin"), ["--store-by sex,,origin", "commas"]),
    (run("-n", "5", "--store-by", "sex,origin,sex"), ["--store-by sex,origin,sex: sex is named twice"]),
    (run("-n", "5", "--store-theta", "nome"), ["--store-theta", "nome", "'none'"]),
    (run("-n", "5", "-q", "-v"), ["--quiet", "--verbose"]),
    # files
    (run("-n", "5", "-o", ABSENT_FOLDER), [ABSENT_FOLDER, "does not exist"]),
    (run("-n", "5", "-o", "."), [".: is a folder; name a file"]),
    (run("-n", "5", "-o", "taken.h5"), ["taken.h5", "exists"]),
    (run("-n", "5", "-o", "foreign.h5"), ["foreign.h5", "exists"]),
    (run("-n", "5", "-o", ABSENT_FOLDER, "--dry-run"), [ABSENT_FOLDER, "does not exist"]),
    (["info", "absent.h5"], ["absent.h5", "no such file"]),
    (["info", "taken.h5"], ["taken.h5", "not an HDF5 file"]),
    (["info", "foreign.h5"], ["foreign.h5", "not one of simcore"]),
    (["info", "."], [".: "]),
    (["info"], ["Missing argument", "FILE"]),
    # scenarios
    (["run", "phse1", "-n", "5"], ["phse1", "'phase1'"]),
    (["check", "absent.toml"], ["absent.toml", "no such file"]),
    (["check", "broken.toml"], ["broken.toml:2", "not TOML"]),
    (["check", "unknown.toml"], ["unknown.toml", "titel", "'title'"]),
    (["show", "two\nlines"], ["two\\nlines"]),
    (["expected", "unknown.toml"], ["unknown.toml", "titel"]),
    (run("-n", "5", "--set", "novalue"), ["--set", "novalue", "="]),
    (run("-n", "5", "--set", "transit.attempt_cap=0"), ["attempt_cap", "0", "at least 1"]),
    (run("-n", "5", "--set", "transit.atempt_cap=3"), ["atempt_cap", "'attempt_cap'"]),
    (run("-n", "5", "--set", "parameters.event_hazard_S.distribution.value=-1"), ["event_hazard_S", "-1"]),
    # expected
    (["expected", TINY, "-n", "0"], ["--draws", "0", "from 1 to 100000"]),
    (["expected", TINY, "--by", "orign"], ["--by", "orign", "'origin'"]),
    (["expected", TINY, "--by", "sex,sex"], ["--by sex,sex: sex is named twice"]),
    (["expected", TINY, "--by", "sex,"], ["--by sex,: ", "commas"]),
    (["expected", TINY, "-s", "-2"], ["--seed", "-2"]),
    (["expected", "phase1", "-n", "100000"], ["-n 100000 --by none: with", "limit 2 GiB: fewer draws (-n) or axes"]),
    (["expected", "phase1", "--by", "origin,sex", "-n", "1e4"], ["-n 10000 --by origin,sex: with"]),
    # mistyped commands
    (["rum", TINY], ["rum", "'run'"]),
    (["sumary", "x.h5"], ["sumary", "'summary'"]),
    (run("-n", "5", "--treads", "2"), ["--treads", "'--threads'"]),
    (run("-n"), ["-n", "requires an argument"]),
    (["run"], ["Missing argument", "NAME|FILE"]),
    (["list", "extra"], ["extra"]),
    (["--nope"], ["--nope"]),
]


@pytest.fixture(autouse=True)
def files(folder: Path) -> None:
    """Files that cannot be used for what they are given for."""
    (folder / "taken.h5").write_text("a letter\n")
    (folder / "broken.toml").write_text('name = "a"\ntitle = \n')
    (folder / "unknown.toml").write_text(Path(TINY).read_text().replace("\ntitle =", "\ntitel ="))
    with h5py.File(folder / "foreign.h5", "w") as file:
        file["x"] = 1


@pytest.mark.parametrize(("arguments", "words"), MISTAKES, ids=[" ".join(a).replace(TINY, "T") for a, _ in MISTAKES])
def test_one_line_exit_code_2_nothing_written(
    simcore: Call, folder: Path, arguments: list[str], words: list[str]
) -> None:
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    done = simcore(*arguments)
    assert done.exit_code == 2, done.output
    assert done.stdout == ""
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert "Traceback" not in done.stderr
    for word in words:
        assert word in done.stderr
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_there_are_enough_of_them() -> None:
    assert len(MISTAKES) >= 25
