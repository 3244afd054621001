"""Weights of stored parameter sets under changed priors (docs/model.md G3).

A parameter set theta that was drawn from the old prior stands for the new one with weight

    w(theta) = product over the changed elements of f_new(theta_i) / f_old(theta_i),                     (1)

times, where changed elements are correlated with others, the ratio of the copula densities at their normal scores: the
correlations are those of the scores, which move with the distributions. Weights are normalised to sum one. They belong
to parameter sets, so all replicates of a nested run's set share one; chance given theta is as it was. With S sets

    ESS = (sum w)^2 / sum w^2                                                                            (2)

independent sets would give about the same precision (A. Kong (1992), A note on importance sampling using standardized
weights, University of Chicago, Department of Statistics, technical report 348).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from analysis.quantity import Estimate, number_or_none
from analysis.reweighting.pareto import reliable_below, tail_shape
from analysis.reweighting.priors import ChangedPrior, changed_priors, changed_scenario, refuse_other_changes
from simcore.errors import ResultsError, UserError

if TYPE_CHECKING:
    from simcore.model import CompiledModel
    from simcore.scenario import Scenario
    from simcore.scenario.patches import Layer
    from simcore.store import Results

FloatArray = npt.NDArray[np.float64]

FEWEST_EFFECTIVE = 400.0
"""Effective parameter sets below which re-weighting is refused (docs/model.md G3)."""

_SETS_AT_ONCE = 65_536
_SMALLEST = 2.0**-53


@dataclass(frozen=True)
class Weights:
    """Weights of the parameter sets of a results file.

    Attributes
    ----------
    values : float64 [S]
        By theta_id; they sum to one.
    changed : tuple of dict
        Name, old and new distribution of each changed element, as plain data.
    effective : float
        Effective sample size of formula (2) [parameter sets].
    k_hat : float
        Pareto shape of the largest weights; NaN if they hardly differ.
    k_limit : float
        `k_hat` above this means that estimates may be off by more than their errors say.
    mean_ratio : Estimate
        Mean of the unnormalised weights, which is 1 but for chance if the densities are right.
    scenario_digest, changed_digest : str
        Of the stored and of the changed scenario.
    """

    values: FloatArray
    changed: tuple[dict[str, Any], ...]
    effective: float
    k_hat: float
    k_limit: float
    mean_ratio: Estimate
    scenario_digest: str
    changed_digest: str

    @property
    def sets(self) -> int:
        """Number S of parameter sets."""
        return self.values.size

    @property
    def warning(self) -> str:
        """What to say about a heavy tail; empty if all is well."""
        if math.isnan(self.k_hat) or self.k_hat <= self.k_limit:
            return ""
        return (
            f"Pareto k-hat {self.k_hat:.2f} is above {self.k_limit:.2f}: a few parameter sets dominate, and estimates "
            "may be off by more than their errors say; run the changed scenario"
        )

    def as_json(self) -> dict[str, Any]:
        """Return plain data, without the weights themselves."""
        return {
            "parameter_sets": self.sets,
            "effective_sample_size": self.effective,
            "k_hat": number_or_none(self.k_hat),
            "k_limit": self.k_limit,
            "warning": self.warning or None,
            "mean_ratio": self.mean_ratio.as_json(),
            "scenario_digest": self.scenario_digest,
            "changed_digest": self.changed_digest,
            "changed": [dict(change) for change in self.changed],
        }


def reweight(
    results: Results,
    changes: Scenario | str | Sequence[str] | Sequence[Layer],
    *,
    fewest: float = FEWEST_EFFECTIVE,
) -> Weights:
    """Return the weights that make stored replicates those of changed priors.

    Parameters
    ----------
    results : Results
        Of any design; with theta stored, or drawn by this version of the program.
    changes : Scenario, settings, or layers
        The changed scenario; or ``"parameters.NAME.distribution=..."`` as after ``--set``, one or several; or layers
        of `simcore.scenario.patches` on top of the stored scenario.
    fewest : float
        Effective parameter sets below which it is refused.

    Returns
    -------
    Weights

    Raises
    ------
    UserError
        If anything but distributions changes, a new one reaches where the old one could not, or the effective sample
        size is too small.
    ResultsError
        If the file holds no scenario, or its parameter sets are neither stored nor can be drawn again.
    """
    from simcore.model import compile_model
    from simcore.runner.embedding import scenario_of
    from simcore.scenario import Scenario

    old = scenario_of(results)
    new = changes if isinstance(changes, Scenario) else changed_scenario(results, as_layers(changes))
    refuse_other_changes(old, new)
    old_model, new_model = compile_model(old, routes=False), compile_model(new, routes=False)
    priors = changed_priors(old_model, new_model)
    log_ratios = _log_ratios(results, old_model, new_model, priors)
    if np.isnan(log_ratios).any():
        names = ", ".join(prior.name for prior in priors)
        raise UserError(f"re-weighting: some stored values of {names} have no density under the stored priors")
    if not np.isfinite(log_ratios.max()):
        raise UserError("re-weighting: no stored parameter set is possible under the new priors; run the scenario")
    ratios = np.exp(log_ratios - log_ratios.max())
    weights = ratios / ratios.sum()
    effective = 1.0 / float(np.square(weights).sum())
    if effective < fewest and priors:
        raise UserError(
            f"re-weighting: the effective sample size is {effective:.1f} of {weights.size:,} parameter sets, limit "
            f"{fewest:g}; run the changed scenario instead"
        )
    scale = math.exp(log_ratios.max())
    spread = float(ratios.std(ddof=1)) / math.sqrt(ratios.size) if ratios.size > 1 else math.nan
    return Weights(
        values=weights,
        changed=tuple(
            {
                "name": prior.name,
                "before": prior.old.distribution.model_dump(mode="json", exclude_none=True),
                "after": prior.new.distribution.model_dump(mode="json", exclude_none=True),
            }
            for prior in priors
        ),
        effective=effective,
        k_hat=tail_shape(log_ratios),
        k_limit=reliable_below(weights.size),
        mean_ratio=Estimate(scale * float(ratios.mean()), scale * spread),
        scenario_digest=old.digest,
        changed_digest=new.digest,
    )


def as_layers(changes: str | Sequence[str] | Sequence[Layer]) -> list[Layer]:
    """Return settings as layers; layers as they are."""
    from simcore.scenario.patches import setting_layer

    given: list[Layer | str] = [changes] if isinstance(changes, str) else list(changes)
    return [setting_layer(change) if isinstance(change, str) else change for change in given]


def _log_ratios(results: Results, old: CompiledModel, new: CompiledModel, priors: Sequence[ChangedPrior]) -> FloatArray:
    """Return the logarithm of formula (1) of every parameter set, float64 [S]."""
    from simcore.uncertainty.densities import log_density

    sets = int(results.theta_ids(slice(results.replicates - 1, results.replicates))[0]) + 1
    copulas = _copula_ratios(old, new, priors)
    columns = list(dict.fromkeys(c for p in priors for c in p.old.columns))
    columns += [c for each in copulas for c in each.columns if c not in columns]
    total = np.zeros(sets)
    if not priors:
        return total
    for first in range(0, sets, _SETS_AT_ONCE):
        stop = min(first + _SETS_AT_ONCE, sets)
        theta = dict(zip(columns, _theta(results, old, columns, first, stop).T, strict=True))
        for prior in priors:
            own = np.stack([theta[column] for column in prior.old.columns], axis=1)
            values = own if prior.old.components else own[:, 0]
            try:
                before, after = (log_density(element.distribution, values) for element in (prior.old, prior.new))
            except UserError as problem:
                raise UserError(
                    f"parameters.{prior.old.parameter}.{problem}; run the changed scenario instead"
                ) from None
            total[first:stop] += after - np.where(np.isfinite(before), before, np.nan)
        for copula in copulas:
            total[first:stop] += copula.log_ratio(theta)
    return total


def _theta(results: Results, model: CompiledModel, columns: list[str], first: int, stop: int) -> FloatArray:
    """Return columns of parameter sets, stored or drawn again: float64 [n, columns]."""
    if results.stores_theta:
        return results.theta(columns, rows=slice(first, stop)).to_numpy()
    from simcore.model import RESULTS_VERSION
    from simcore.uncertainty.design import make_design

    facts = results.attributes
    if int(facts["results_version"]) != RESULTS_VERSION:
        raise ResultsError(
            f"{results.path or 'results in memory'}: parameter values were not stored, and this program (results "
            f"version {RESULTS_VERSION}) draws others than those of version {facts['results_version']}"
        )
    # A run that ended by its stopping rule has random points, which do not depend on their number.
    kind, randomisation = str(facts.get("design", "random")), int(facts.get("randomisation", 0))
    design = make_design(None, results.nested, kind, randomisation)
    streams = model.streams(int(facts["seed"]), design)
    theta = model.draw_theta(streams, np.arange(first, stop, dtype=np.uint32))
    return theta[:, [model.space.names.index(column) for column in columns]]


@dataclass(frozen=True)
class _CopulaRatio:
    """A group of correlated scalars, some of whose distributions changed."""

    columns: tuple[str, ...]
    old: tuple[Any, ...]  # distributions, in the order of columns
    new: tuple[Any, ...]
    inverse_less_one: FloatArray  # P^-1 - I of the correlations P of the normal scores

    def log_ratio(self, theta: dict[str, FloatArray]) -> FloatArray:
        """Return log c(z_new) - log c(z_old), log c(z) = -(log |P| + z' (P^-1 - I) z) / 2: float64 [n]."""

        def form(distributions: Sequence[Any]) -> FloatArray:
            scores = np.stack([_scores(d, theta[c]) for d, c in zip(distributions, self.columns, strict=True)], axis=1)
            result: FloatArray = np.einsum("ni,ij,nj->n", scores, self.inverse_less_one, scores)
            return result

        return 0.5 * (form(self.old) - form(self.new))


def _scores(distribution: Any, values: FloatArray) -> FloatArray:
    """Return the normal scores of values of a declared scalar, accurate in both tails: float64 [n]."""
    from scipy import special

    from simcore.uncertainty.exact import exact_law

    law = exact_law(distribution)
    assert law is not None  # the support was checked
    below, above = np.asarray(law.cdf(values)), np.asarray(law.sf(values))
    lower = special.ndtri(np.clip(below, _SMALLEST, 0.5))
    upper = -special.ndtri(np.clip(above, _SMALLEST, 0.5))
    scores: FloatArray = np.where(below <= 0.5, lower, upper)
    return scores


def _copula_ratios(old: CompiledModel, new: CompiledModel, priors: Sequence[ChangedPrior]) -> list[_CopulaRatio]:
    """Return the groups of correlated scalars that hold a changed one."""
    changed = {column for prior in priors for column in prior.old.columns}
    before, after = ({c: e for e in model.space.elements for c in e.columns} for model in (old, new))
    found = []
    for group in old.scenario.dependence_report.groups:
        members = [number for number, column in enumerate(group.columns) if column in before]
        columns = tuple(group.columns[number] for number in members)
        if not changed.intersection(columns) or len(columns) < 2:
            continue
        for column in columns:
            if before[column].components or getattr(before[column].distribution, "is_category", False):
                raise UserError(
                    f"re-weighting: {column} is correlated with a parameter that changes, and only scalars with a "
                    "density can be re-weighted together; run the changed scenario instead"
                )
        correlation = group.pearson[np.ix_(members, members)]
        if np.linalg.matrix_rank(correlation) < len(members):
            raise UserError(
                f"re-weighting: {', '.join(columns)} are perfectly correlated, so their joint draws have no density; "
                "run the changed scenario instead"
            )
        inverse = np.linalg.inv(correlation) - np.eye(len(members))
        laws = [tuple(elements[column].distribution for column in columns) for elements in (before, after)]
        found.append(_CopulaRatio(columns, laws[0], laws[1], inverse))
    return found
