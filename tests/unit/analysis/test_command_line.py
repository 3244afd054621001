"""The verb `summary`: what goes where, and what users get for their mistakes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from analysis.command_line import naming_options, summary
from simcore.errors import ResultsError, UserError

from .funnel_samples import make_counts, write

app = typer.Typer()
app.command()(summary)
runner = CliRunner()


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("results") / "sample.h5"
    write(make_counts(300), target=path).close()
    return path


def test_table_to_standard_output(file: Path) -> None:
    result = runner.invoke(app, [str(file)])
    assert result.exit_code == 0, result.output
    assert "Trafficked" in result.stdout
    assert result.stderr == ""


def test_by_levels_is_compact(file: Path) -> None:
    """Seven lines per block: from persons over the last point before the border to the fraction arrived."""
    result = runner.invoke(app, [str(file), "--by", "origin, sex"])
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    starts = [number for number, line in enumerate(lines) if line.startswith(("AAA", "BBB"))]
    assert len(starts) == 4
    block = lines[starts[0] + 1 : starts[1]]
    assert [line.split()[0] for line in block if line] == [
        *("Persons", "At", "Trafficked", "Bound", "Reached:", "arrived", "Arrived")
    ]
    assert "LINE" in block[4]


def test_json_is_complete(file: Path) -> None:
    """By level too, and with the levels asked for."""
    result = runner.invoke(app, [str(file), "--json", "--by", "sex", "--level", "0.8", "--level", "0.95"])
    assert result.exit_code == 0, result.output
    content = json.loads(result.stdout)
    assert content["levels"] == [0.8, 0.95]
    assert len(content["quantities"]) > 2 * 10
    assert content["file"] == str(file)


def test_figure_beside_the_table(file: Path, tmp_path: Path) -> None:
    result = runner.invoke(app, [str(file), "--figure", str(tmp_path / "f.png")])
    assert result.exit_code == 0, result.output
    assert result.stderr == f"figure: {tmp_path / 'f.png'}\n"
    assert (tmp_path / "f.png").stat().st_size > 10_000


def test_mistakes_are_one_line_each(file: Path, tmp_path: Path) -> None:
    """Raised as errors of the user, which the command line prints; nothing is written."""
    cases: list[tuple[list[str], type[UserError], str]] = [
        ([str(tmp_path / "none.h5")], ResultsError, "no such file"),
        ([str(file), "--by", "age_band"], ResultsError, "summed over age_band"),
        ([str(file), "--by", ""], ResultsError, "no strata axis ''"),
        ([str(file), "--level", "90"], UserError, "must lie between 0 and 1"),
        ([str(file), "--figure", str(tmp_path / "f.gif")], UserError, "must end in one of .png"),
        ([str(file), "--figure", str(tmp_path / "no" / "f.png")], UserError, "there is no folder"),
        ([str(file), "--by", "sex", "--figure", str(tmp_path / "f.png")], UserError, "leave out --by sex"),
    ]
    for arguments, kind, words in cases:
        result = runner.invoke(app, arguments)
        assert isinstance(result.exception, kind), (arguments, result.output)
        assert words in str(result.exception)
        assert "\n" not in str(result.exception)
        assert result.stdout == ""
    assert list(tmp_path.iterdir()) == []


def test_the_verb_and_the_package_are_light() -> None:
    """Loading the verb for `--help` loads neither tables, figures nor arrays; the names of the package are lazy."""
    code = (
        "import sys, analysis, analysis.command_line\n"
        "heavy = {'numpy', 'pandas', 'matplotlib', 'scipy', 'h5py', 'numba'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "assert all(callable(getattr(analysis, name)) for name in analysis.__all__)\n"
        "assert sorted(dir(analysis)) == sorted(analysis.__all__)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("quantities = 'nope': no such quantity", "--quantity nope: no such quantity"),
        ("route = 'nested': out.h5: a single loop", "--route nested: out.h5: a single loop"),
        ("levels = 2: too large", "levels = 2: too large"),
        ("out.h5: damaged", "out.h5: damaged"),
    ],
)
def test_messages_name_the_option(said: str, shown: str) -> None:
    with pytest.raises(UserError) as problem, naming_options(quantities="--quantity", route="--route"):
        raise UserError(said)
    assert str(problem.value) == shown
