"""One line per kind of fault at the end of the tests: how many were injected and what came of them.

Tests write into the fixture ``tally``; what it holds travels with the test's report, so that it arrives from other
processes (pytest-xdist) as well.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

PROPERTY = "faults"
OUTCOMES = ("injected", "detected", "without effect", "recovered")


class Tally:
    """Counts of a test by kind of fault.

    ``detected``: refused or reported in one plain line. ``without effect``: everything that can be read is what was
    written, or the run ended as if nothing had been. ``recovered``: the run went on, or the damage was mended, and the
    result is that of an undisturbed run, dataset by dataset.
    """

    def __init__(self) -> None:
        self.counts: dict[str, Counter[str]] = {}

    def add(self, kind: str, *outcomes: str, count: int = 1) -> None:
        """Count a fault that was injected, and what came of it."""
        assert set(outcomes) <= set(OUTCOMES)
        found = self.counts.setdefault(kind, Counter())
        for outcome in ("injected", *outcomes):
            found[outcome] += count


@pytest.fixture
def tally(request: pytest.FixtureRequest) -> Any:
    """Where a test counts the faults that it injected."""
    counted = Tally()
    yield counted
    plain = {kind: dict(found) for kind, found in counted.counts.items()}
    request.node.user_properties.append((PROPERTY, plain))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print the sums over all tests."""
    sums: dict[str, Counter[str]] = {}
    for reports in terminalreporter.stats.values():
        for report in reports:
            if getattr(report, "when", "") != "teardown":
                continue
            for name, counts in getattr(report, "user_properties", ()):
                for kind, found in counts.items() if name == PROPERTY else ():
                    sums.setdefault(kind, Counter()).update(found)
    if not sums:
        return
    width = max(len(kind) for kind in sums)
    terminalreporter.section("faults")
    terminalreporter.write_line(" " * width + "".join(f"{outcome:>16}" for outcome in OUTCOMES))
    for kind in sorted(sums):
        terminalreporter.write_line(f"{kind:<{width}}" + "".join(f"{sums[kind][outcome]:16}" for outcome in OUTCOMES))
