"""What tests of faults share: a server that forks warmed-up processes, and counts of what was injected."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

from tests.faults.confined import Confinement
from tests.faults.reporting import tally

if TYPE_CHECKING:
    from tests.faults.recovery import Stage

__all__ = ["server", "stages", "tally"]


@pytest.fixture(scope="session")
def server() -> Iterator[Confinement]:
    """Forks processes in which faults are injected; kernels are loaded."""
    with Confinement(warm=True) as running:
        yield running


@pytest.fixture(scope="package", autouse=True)
def one_revision() -> Iterator[None]:
    """Ask git once for the state of the source tree: hundreds of runs would ask hundreds of times.

    For the tests of this folder alone; others, in the same process, ask it what they made it say.
    """
    from simcore.store import provenance

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(provenance, "source_revision", functools.cache(provenance.source_revision))
        yield


@pytest.fixture(scope="session")
def stages(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Stage]:
    """Cases by name, each made ready once."""
    from tests.faults.cases import CASES
    from tests.faults.recovery import Stage

    @functools.cache
    def made(name: str) -> Stage:
        return Stage(CASES[name], tmp_path_factory.mktemp("stage"))

    return made
