"""What tests of going on share: a scenario that takes a moment, its uninterrupted runs, and what is computed."""

from __future__ import annotations

from typing import Any

import pytest

import simcore
from simcore.runner import session
from simcore.runner.blocks import Block, Work
from simcore.scenario import Scenario
from tests.faults.recovery import content

from .continuing_samples import Whole, border


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    return border()


@pytest.fixture(scope="module")
def whole(scenario: Scenario, seed: int, tmp_path_factory: pytest.TempPathFactory) -> Whole:
    """Content of the file of an uninterrupted run with the options given; each is run once."""
    known: dict[str, dict[str, Any]] = {}

    def content_of(**options: Any) -> dict[str, Any]:
        key = repr(sorted(options.items()))
        if key not in known:
            path = tmp_path_factory.mktemp("whole") / "x.h5"
            with simcore.run(scenario, seed=seed, threads=1, output=path, **options) as results:
                assert results.verify_checksums() == []
            known[key] = content(path)
        return known[key]

    return content_of


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> set[int]:
    """First rows of the blocks that are computed from now on."""
    found: set[int] = set()
    simulate = session.simulate_slice

    def counted(work: Work, block: Block, first: int, stop: int) -> Any:
        found.add(block.first)
        return simulate(work, block, first, stop)

    monkeypatch.setattr(session, "simulate_slice", counted)
    return found
