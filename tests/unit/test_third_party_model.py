"""An at-risk model from outside the package, installed for real: the very example of docs/at_risk_models.md.

The example is taken out of the page, put into a distribution of its own (a folder on the path with a ``dist-info``, as
an installer leaves it), and used through the command line in a new process, where nothing is patched.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from tests.conftest import ROOT

PAGE = (ROOT / "docs" / "at_risk_models.md").read_text(encoding="utf-8")
EXAMPLE = PAGE[PAGE.index("## Writing another one") :]


def block(language: str, index: int = 0) -> str:
    """The index-th code block of that language in the example."""
    return re.findall(rf"```{language}\n(.*?)```", EXAMPLE, re.DOTALL)[index]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the module, its installed metadata, and the scenario that uses it."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "flat_model.py").write_text(block("python"))
    metadata = folder / "flat_model-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: flat-model\nVersion: 1.0\n")
    group, entry = re.findall(r'"(simcore\.[a-z_]+)"\]\n(.*)\n', block("toml"))[0]
    (metadata / "entry_points.txt").write_text(f"[{group}]\n{entry.replace(chr(34), '')}\n")
    (folder / "flat.toml").write_text(block("toml", 1))
    return folder


def simcore(site: Path, *arguments: str, installed: bool = True) -> subprocess.CompletedProcess[str]:
    """Call the program in a new process, with or without the other distribution on its path."""
    path = f"{site}{os.pathsep}{ROOT}" if installed else str(ROOT)
    return subprocess.run(
        [sys.executable, "-m", "simcore.cli", *arguments],
        env={**os.environ, "PYTHONPATH": path},
        cwd=site if installed else site.parent,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


def test_it_takes_less_than_thirty_lines() -> None:
    assert len(block("python").splitlines()) < 30


def test_check_expected_and_run(site: Path) -> None:
    checked = simcore(site, "check", "flat.toml", "--json")
    assert checked.returncode == 0, checked.stderr
    expected = simcore(site, "expected", "flat.toml", "-n", "200", "--json")
    assert expected.returncode == 0, expected.stderr
    assert json.loads(expected.stdout)
    ran = simcore(site, "run", "flat.toml", "-n", "40", "--seed", "3", "-o", "flat.h5", "-q")
    assert ran.returncode == 0, ran.stderr
    with h5py.File(site / "flat.h5") as file:
        at_risk, persons = np.asarray(file["at_risk"]), np.asarray(file["persons"])
    assert 0.0 < at_risk.sum() / persons.sum() < 0.1


def test_it_can_be_a_member_of_a_mixture(site: Path) -> None:
    settings = [
        "at_risk.model='mixed'",
        "at_risk.mixed.choice='which'",
        "at_risk.flat.share='at_risk_share'",
        "parameters.which={distribution={family='categorical',weights={flat=1,expert=1}},unit='model',grade='elicited'}",
        "parameters.at_risk_share={distribution={family='fixed',value=0.01},unit='share',grade='elicited'}",
    ]
    flags = [argument for setting in settings for argument in ("--set", setting)]
    expected = simcore(site, "expected", "phase1", "-n", "50", "--json", *flags)
    assert expected.returncode == 0, expected.stderr


def test_without_the_distribution_it_is_unknown(site: Path) -> None:
    checked = simcore(site, "check", str(site / "flat.toml"), installed=False)
    assert checked.returncode == 2
    assert re.fullmatch(
        r"error: .*flat\.toml:7: at_risk\.model: unknown at-risk model 'flat' \(known: expert, .*shares\)\n",
        checked.stderr,
    )
