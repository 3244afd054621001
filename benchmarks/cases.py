"""What is run: cases (a scenario, how parameters vary) and their contenders, with fixed sizes.

Sizes are such that a call of any contender takes some tenths of a second; rates, not times, are compared.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from pathlib import Path

from benchmarks.contenders import AGENT, AGENT_THREADS, AUTOMATIC, COHORT, COHORT_THREADS, CONTENDERS
from benchmarks.work import Work, fixed_work, varied_work
from simcore.model import CompiledModel

LARGEST_POPULATION_FACTOR = 100.0
"""A cell of phase1 times this is still below the largest number of persons, 2**32 - 1."""

_MEDIAN_HAZARD = 0.003  # of phase1, events per at-risk person-year


@dataclass(frozen=True)
class Share:
    """What one contender does in a timed call: the first ``replicates`` of the case, ``repeats`` times over."""

    replicates: int
    repeats: int = 1


@dataclass(frozen=True)
class Case:
    """A scenario, how its parameters vary over replicates, and what each contender does in a timed call.

    All contenders simulate the same replicates. Fast ones do so several times in a call; slow ones get a slice, the
    first few of them.

    Attributes
    ----------
    name, title : str
    scenario : str or path
        As `simcore.load_scenario` takes it.
    settings : tuple of str
    varied : bool
        A parameter set per replicate instead of the median one for all.
    bases : tuple of str
        Contenders of simcore that all others are compared with.
    shares : dict
        Contender -> replicates and repeats.
    checked : int
        Replicates of the comparison with the exact moments; slow contenders do their share.
    words : bool
        Time the random words of the agent engine alone, too.
    whole_run : int
        Replicates of a whole `simcore.run` per timed call, 0 for none.
    """

    name: str
    title: str
    scenario: str | Path
    settings: tuple[str, ...]
    varied: bool
    bases: tuple[str, ...]
    shares: dict[str, Share] = field(repr=False)
    checked: int
    words: bool = True
    whole_run: int = 0

    def work(self, model: CompiledModel, replicates: int, seed: int) -> Work:
        """Return so many replicates of the case."""
        return (varied_work if self.varied else fixed_work)(model, replicates, seed)

    def scaled(self, divisor: int) -> Case:
        """Return the case with smaller calls, for a quick look."""
        shares = {
            name: Share(max(share.replicates // divisor, 1), share.repeats) for name, share in self.shares.items()
        }
        return replace(
            self, shares=shares, checked=max(self.checked // divisor, 1), whole_run=self.whole_run // divisor
        )

    def without(self, names: Collection[str]) -> Case:
        """Return the case without some contenders."""
        shares = {name: share for name, share in self.shares.items() if name not in names}
        return replace(self, shares=shares, bases=tuple(base for base in self.bases if base in shares))


def make_shares(replicates: int, repeats: dict[str, int], slices: dict[str, int]) -> dict[str, Share]:
    """Return the shares: some contenders do all ``replicates`` several times, others a slice of them once."""
    shares = {name: Share(replicates, number) for name, number in repeats.items()}
    shares |= {name: Share(part) for name, part in slices.items()}
    return {name: shares[name] for name in CONTENDERS if name in shares}


def scaled_settings(factor: float) -> tuple[str, ...]:
    """Return settings of phase1 that multiply the bound victims by about ``factor``.

    The population grows first; beyond what a cell can hold, the event hazard does.
    """
    population = min(factor, LARGEST_POPULATION_FACTOR)
    hazard = factor / population
    settings = [f"parameters.population_factor.distribution.median = {population}"]
    if hazard > 1.0:
        low, high = 0.1 * _MEDIAN_HAZARD * hazard, 10.0 * _MEDIAN_HAZARD * hazard
        settings.append(f"parameters.event_hazard.distribution.q05 = {low}")
        settings.append(f"parameters.event_hazard.distribution.q95 = {high}")
    return tuple(settings)


_EVERYBODY = (AGENT, AGENT_THREADS)
_COUNTS = (COHORT, AGENT, COHORT_THREADS)


def _everyday(replicates: int, repeats: tuple[int, ...], slices: tuple[int, ...]) -> dict[str, Share]:
    fast = (
        AGENT, COHORT, AGENT_THREADS, "agent legs", "numpy collapsed", "numpy legs", "numpy cohort", "c collapsed",
        "c legs",
    )  # fmt: skip
    slow = ("starsim", "plain python", "mesa")
    return make_shares(replicates, dict(zip(fast, repeats, strict=True)), dict(zip(slow, slices, strict=True)))


def _per_stratum(number: int, factor: float, *, agents: int, varied: bool = False) -> Case:
    """Return a case with a mean of ``number`` bound victims per active stratum; walkers do ``agents`` replicates."""
    power = len(str(number)) - 1
    manner = ", one parameter set per replicate" if varied else ", parameters at their medians"
    counting = {COHORT: 4, AUTOMATIC: 4, COHORT_THREADS: 4, "numpy cohort": 1}
    return Case(
        name=f"stratum-1e{power}" + ("-varied" if varied else ""),
        title=f"phase1, some {number:,} bound victims in every active stratum{manner}",
        scenario="phase1",
        settings=scaled_settings(factor),
        varied=varied,
        bases=_COUNTS,
        shares=make_shares(256, counting, {AGENT: agents, "c collapsed": agents, "numpy collapsed": agents}),
        checked=32,
        words=False,
    )


CASES = (
    Case(
        name="fixed",
        title="phase1, parameters at their medians",
        scenario="phase1",
        settings=(),
        varied=False,
        bases=_EVERYBODY,
        shares=_everyday(1024, (4, 4, 4, 1, 1, 1, 1, 4, 2), (64, 32, 4)),
        checked=512,
    ),
    Case(
        name="varied",
        title="phase1, one parameter set per replicate",
        scenario="phase1",
        settings=(),
        varied=True,
        bases=_EVERYBODY,
        shares=_everyday(256, (8, 8, 8, 1, 1, 1, 2, 8, 4), (16, 8, 1)),
        checked=256,
        whole_run=4096,
    ),
    Case(
        name="large",
        title="phase1, population times 100, parameters at their medians",
        scenario="phase1",
        settings=scaled_settings(100.0),
        varied=False,
        bases=_EVERYBODY,
        shares=_everyday(16, (16, 64, 16, 1, 2, 1, 16, 8, 2), (1, 1, 1)),
        checked=16,
    ),
    _per_stratum(1_000, 35.5, agents=64),
    _per_stratum(10_000, 356.0, agents=16),
    _per_stratum(100_000, 3760.0, agents=2),
    _per_stratum(10_000, 94.0, agents=16, varied=True),
)
