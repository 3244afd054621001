"""The change of the outputs between two scenarios, shared out over the items that changed.

Let v(S) be a figure (such as the mean of the arrivals) of the first scenario with the items S of the second put in. The
Shapley value of item i is its effect v(S + i) - v(S), averaged over all orders in which the k items can be put in::

    phi_i = sum over S without i of |S|! (k - |S| - 1)! / k! (v(S + i) - v(S))                         (1)

(L. S. Shapley (1953), A value for n-person games, Contributions to the Theory of Games II, 307-317.) The values sum to
the total change whatever the interactions. Up to `MOST_EXACT` items all 2^k hybrids are computed; beyond that, orders
are drawn in antithetic pairs (an order and its reverse), each of which sums to the total change too.

Every v(S) is computed on the same seed, so parameters that did not change have the same values in every hybrid and a
changed one the same uniform. phi_i is linear in v, so the Monte Carlo standard error (MCSE) of the share in a mean is
that of the mean of phi_i over draws. For medians the draws are resampled, the same ones in every hybrid, and phi_i is
computed anew each time (B. Efron (1979), Bootstrap methods: another look at the jackknife, Annals of Statistics 7,
1-26): an error from the densities at the medians would be blurred by those densities where two medians hardly differ.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from analysis.difference.hybrids import Hybrids, Item, find_items
from analysis.difference.outputs import OUTPUTS, Output, exact_means
from analysis.quantity import Estimate
from simcore.errors import UserError

if TYPE_CHECKING:
    from simcore.scenario import Scenario

FloatArray = npt.NDArray[np.float64]
Subset = frozenset[int]

MOST_EXACT = 8
"""Items up to which all hybrids are computed."""

PERMUTATIONS = 32
"""Orders that are drawn beyond that."""

DRAWS = 1000
_LARGEST_BYTES = 1 << 30
_ROUNDING = 1e-12  # relative
_RESAMPLES = 200  # so that an error is itself known to about 5 %


@dataclass(frozen=True)
class Statistic:
    """A figure of one output: a mean or a median over parameter sets, on one scale."""

    name: str
    label: str
    is_median: bool
    is_log: bool


STATISTICS = (
    Statistic("mean", "mean", False, False),
    Statistic("median", "median", True, False),
    Statistic("mean_log10", "mean of log10", False, True),
    Statistic("median_log10", "median of log10", True, True),
)


@dataclass(frozen=True)
class Share:
    """What one item does to one figure.

    Attributes
    ----------
    shapley : Estimate
        Its share of the total change.
    sampling_error : float
        Standard error of `shapley` from the orders that were drawn; 0 where all were computed.
    alone : Estimate
        Change when it alone is put into the first scenario.
    last : Estimate
        Change when it is put in after all others.
    """

    shapley: Estimate
    sampling_error: float
    alone: Estimate
    last: Estimate

    def as_json(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "shapley": self.shapley.as_json(),
            "sampling_error": self.sampling_error,
            "alone": self.alone.as_json(),
            "last": self.last.as_json(),
        }


@dataclass(frozen=True)
class Attributed:
    """One figure of one output in both scenarios, and the shares of the items in its change.

    Attributes
    ----------
    output : Output
    statistic : Statistic
    first, second, total : Estimate
        The figure in both scenarios, and second minus first (paired).
    shares : tuple of Share
        One per item, in order.
    """

    output: Output
    statistic: Statistic
    first: Estimate
    second: Estimate
    total: Estimate
    shares: tuple[Share, ...]

    def as_json(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "output": self.output.name,
            "statistic": self.statistic.name,
            "first": self.first.as_json(),
            "second": self.second.as_json(),
            "total": self.total.as_json(),
            "shares": [share.as_json() for share in self.shares],
        }


@dataclass(frozen=True)
class Attribution:
    """How the change of the outputs is shared out.

    Attributes
    ----------
    items : tuple of Item
    figures : tuple of Attributed
        By output, then statistic; a logarithm is left out where a mean is zero, a fraction where nobody is bound.
    draws, seed : int
    hybrids : int
        Scenarios computed.
    permutations : int
        Orders drawn; 0 where all were computed.
    left_out : tuple of str
        Figures that could not be computed, one sentence each.
    """

    items: tuple[Item, ...]
    figures: tuple[Attributed, ...]
    draws: int
    seed: int
    hybrids: int
    permutations: int
    left_out: tuple[str, ...]

    def figure(self, output: str, statistic: str) -> Attributed:
        """Return one figure by the names of its output and statistic.

        Raises
        ------
        KeyError
            If there is none.
        """
        for figure in self.figures:
            if (figure.output.name, figure.statistic.name) == (output, statistic):
                return figure
        raise KeyError(f"{statistic} of {output}")

    def as_json(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "draws": self.draws,
            "seed": self.seed,
            "hybrids": self.hybrids,
            "permutations": self.permutations,
            "items": [item.as_json() for item in self.items],
            "figures": [figure.as_json() for figure in self.figures],
            "left_out": list(self.left_out),
        }


def attribute(
    first: Scenario,
    second: Scenario,
    *,
    draws: int = DRAWS,
    seed: int = 0,
    permutations: int = PERMUTATIONS,
    progress: Callable[[int, int], None] | None = None,
) -> Attribution:
    """Share out the change of the outputs between two scenarios over what changed.

    Parameters
    ----------
    first, second : Scenario
    draws : int
        Parameter sets, the same in every hybrid.
    seed : int
    permutations : int
        Orders that are drawn where there are more than `MOST_EXACT` items; made even.
    progress : callable, optional
        Called with hybrids done and hybrids in all.

    Returns
    -------
    Attribution
        Without items if nothing that can move a count differs.

    Raises
    ------
    UserError
        If the strata differ, a hybrid cannot be made, or the draws would not fit into memory.
    """
    from simcore.model import compile_model

    hybrids = Hybrids(first, second)
    items = find_items(hybrids, lambda scenario: compile_model(scenario, routes=False))
    exact = len(items) <= MOST_EXACT
    orders = [] if exact else _orders(len(items), permutations, seed)
    subsets = _all_subsets(len(items)) if exact else _subsets_of(orders, len(items))
    needed = len(subsets) * len(OUTPUTS) * draws * 8
    if needed > _LARGEST_BYTES:
        raise UserError(
            f"draws = {draws}: {len(subsets)} hybrids of {len(items)} items need {needed / 2**30:.1f} GiB, limit "
            f"{_LARGEST_BYTES >> 30} GiB: fewer draws"
        )
    values = np.empty((len(subsets), len(OUTPUTS), draws))
    everything = frozenset(range(len(items)))
    for number, subset in enumerate(subsets):
        if progress is not None:
            progress(number, len(subsets))
        if not subset:
            scenario = first
        elif subset == everything:
            scenario = second
        else:
            scenario = hybrids.scenario([items[i] for i in sorted(subset)])
        values[number] = exact_means(compile_model(scenario, routes=False), draws, seed)
    index = {subset: number for number, subset in enumerate(subsets)}
    by_pair = [] if exact else _pair_weights(orders, index)
    weights = _exact_weights(len(items), index) if exact else np.mean(by_pair, axis=0)
    plan = _Plan(weights, tuple(by_pair), index, len(items))
    figures, left_out = _figures(values, plan, seed)
    return Attribution(items, figures, draws, seed, len(subsets), len(orders), left_out)


# Which hybrids, and how they enter -------------------------------------------------------------------------------


def _all_subsets(count: int) -> list[Subset]:
    return [frozenset(i for i in range(count) if mask >> i & 1) for mask in range(1 << count)]


def _orders(count: int, permutations: int, seed: int) -> list[tuple[int, ...]]:
    """Return orders in antithetic pairs: each is followed by its reverse."""
    generator = np.random.default_rng([seed, count])
    orders = []
    for _ in range(max(2, math.ceil(permutations / 2))):
        order = tuple(int(i) for i in generator.permutation(count))
        orders += [order, order[::-1]]
    return orders


def _subsets_of(orders: Sequence[tuple[int, ...]], count: int) -> list[Subset]:
    """Return every subset that an order passes through, and those of single items and of all but one."""
    found: dict[Subset, None] = {frozenset(): None, frozenset(range(count)): None}
    for i in range(count):
        found[frozenset({i})] = None
        found[frozenset(range(count)) - {i}] = None
    for order in orders:
        for length in range(1, count):
            found[frozenset(order[:length])] = None
    return list(found)


def _exact_weights(count: int, index: dict[Subset, int]) -> FloatArray:
    """Return the weights of formula (1), float64 [items, subsets]."""
    weights = np.zeros((count, len(index)))
    for subset, column in index.items():
        for i in range(count):
            size = len(subset) - (i in subset)
            weight = math.factorial(size) * math.factorial(count - size - 1) / math.factorial(count)
            weights[i, column] = weight if i in subset else -weight
    return weights


def _pair_weights(orders: Sequence[tuple[int, ...]], index: dict[Subset, int]) -> list[FloatArray]:
    """Return the weights of each pair of orders, float64 [items, subsets]."""
    made = []
    for pair in range(0, len(orders), 2):
        weights = np.zeros((len(orders[0]), len(index)))
        for order in orders[pair : pair + 2]:
            for place, item in enumerate(order):
                weights[item, index[frozenset(order[: place + 1])]] += 0.5
                weights[item, index[frozenset(order[:place])]] -= 0.5
        made.append(weights)
    return made


@dataclass(frozen=True)
class _Plan:
    """How hybrids are combined: rows of weights over the subsets."""

    shapley: FloatArray
    pairs: tuple[FloatArray, ...]
    index: dict[Subset, int]
    items: int

    def difference(self, more: Subset, less: Subset) -> FloatArray:
        """Return the weights of v(more) - v(less), float64 [subsets]."""
        row = np.zeros(len(self.index))
        row[self.index[more]] += 1.0
        row[self.index[less]] -= 1.0
        return row

    def rows(self) -> FloatArray:
        """Return all combinations: first, second, total, then shapley, alone and last of every item."""
        none, everything = frozenset[int](), frozenset(range(self.items))
        first, second = np.zeros((2, len(self.index)))
        first[self.index[none]] = second[self.index[everything]] = 1.0
        alone = [self.difference(frozenset({i}), none) for i in range(self.items)]
        last = [self.difference(everything, everything - {i}) for i in range(self.items)]
        return np.array([first, second, second - first, *self.shapley, *alone, *last])


# Figures -----------------------------------------------------------------------------------------------------------


def _figures(values: FloatArray, plan: _Plan, seed: int) -> tuple[tuple[Attributed, ...], tuple[str, ...]]:
    figures, left_out = [], []
    for number, output in enumerate(OUTPUTS):
        own = values[:, number]
        if not np.isfinite(own).all():
            left_out.append(f"{output.label}: nobody is bound in some parameter sets, so it has no value there")
            continue
        for statistic in STATISTICS:
            if statistic.is_log and not output.is_count:
                continue
            if statistic.is_log and not (own > 0.0).all():
                left_out.append(f"{statistic.label} of {output.label}: zero in some parameter sets")
                continue
            figures.append(_attributed(np.log10(own) if statistic.is_log else own, output, statistic, plan, seed))
    return tuple(figures), tuple(dict.fromkeys(left_out))


def _attributed(values: FloatArray, output: Output, statistic: Statistic, plan: _Plan, seed: int) -> Attributed:
    """Return one figure from the values of every subset, float64 [subsets, draws]."""
    rows, draws = plan.rows(), values.shape[1]
    if statistic.is_median:
        centre = np.median(values, axis=1)
        errors = (_resampled_medians(values, seed) @ rows.T).std(axis=0, ddof=1)
    else:
        centre = values.mean(axis=1)
        errors = (rows @ values).std(axis=1, ddof=1) / math.sqrt(draws)
    combined = rows @ centre
    # What an item does not touch differs by rounding alone.
    untouched = np.abs(rows @ values).max(axis=1) < _ROUNDING * np.abs(values).max()
    combined[untouched], errors[untouched] = 0.0, 0.0
    found = [Estimate(float(value), float(error)) for value, error in zip(combined, errors, strict=True)]
    sampled = np.zeros(plan.items)
    if len(plan.pairs) > 1:
        by_pair = np.array([weights @ centre for weights in plan.pairs])
        sampled = by_pair.std(axis=0, ddof=1) / math.sqrt(len(plan.pairs))
    k = plan.items
    shares = tuple(Share(found[3 + i], float(sampled[i]), found[3 + k + i], found[3 + 2 * k + i]) for i in range(k))
    return Attributed(output, statistic, found[0], found[1], found[2], shares)


def _resampled_medians(values: FloatArray, seed: int) -> FloatArray:
    """Return the median of every subset over resampled draws, float64 [resamples, subsets]."""
    draws = values.shape[1]
    generator = np.random.default_rng([seed, draws])
    medians = np.empty((_RESAMPLES, len(values)))
    for resample in range(_RESAMPLES):
        medians[resample] = np.median(values[:, generator.integers(0, draws, draws)], axis=1)
    return medians
