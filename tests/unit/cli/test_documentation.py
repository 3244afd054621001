"""docs/command_line.md names every verb and option there is."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer

from simcore.cli.program import Program, app

PAGE = (Path(__file__).parents[3] / "docs" / "command_line.md").read_text()
GROUP = typer.main.get_command(app)
assert isinstance(GROUP, Program)


@pytest.mark.parametrize("verb", GROUP.commands)
def test_every_verb_has_a_section_with_its_options(verb: str) -> None:
    section = PAGE.partition(f"\n## {verb}\n")[2].partition("\n## ")[0]
    assert section, f"no section on {verb}"
    shared = PAGE.partition("\n## What verbs share\n")[2].partition("\n## ")[0]
    for parameter in GROUP.commands[verb].params:
        for option in parameter.opts:
            if option.startswith("-"):
                assert f"`{option}" in section + shared or option in section, option


def test_global_options_are_described() -> None:
    for option in ("--version", "-V", "--traceback", "--help"):
        assert f"`{option}`" in PAGE
