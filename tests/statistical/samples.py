"""Simulated counts as vectors, one per replicate, and the exact law's means and covariances to put them on a scale."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

import simcore
from simcore.moments import Moments, expected
from simcore.scenario import Scenario
from tests.ways import WAYS

FloatArray = npt.NDArray[np.float64]
JOURNEY = ("reached", "visits", "outcome", "attempts")


@dataclass(frozen=True)
class Frame:
    """Which counts are compared: (variable, label[, exploitation]) by column, with their exact moments.

    ``mean`` is [n, Q] and ``covariance`` [n, Q, Q] by parameter set; n = 1 where parameters are fixed.
    """

    columns: list[tuple[str, ...]]
    mean: FloatArray
    covariance: FloatArray

    def column(self, *name: str) -> int:
        """Return the number of a column."""
        return self.columns.index(name)

    def only(self, variables: tuple[str, ...]) -> Frame:
        """Return the columns of some variables."""
        kept = [i for i, name in enumerate(self.columns) if name[0] in variables]
        return Frame([self.columns[i] for i in kept], self.mean[:, kept], self.covariance[:, kept][:, :, kept])

    @property
    def scale(self) -> FloatArray:
        """Standard deviations, [n, Q], but at least one person: rare counts would else dwarf all others."""
        result: FloatArray = np.sqrt(np.maximum(np.diagonal(self.covariance, axis1=1, axis2=2), 1.0))
        return result

    def standard(self, counts: FloatArray) -> FloatArray:
        """Return counts [R, Q] less their means, in units of their scale."""
        result: FloatArray = (counts - self.mean) / self.scale
        return result

    def white(self, counts: FloatArray) -> FloatArray:
        """Return counts [R, Q] as vectors [R, k] with mean zero and about unit covariance, identities left out.

        That choice of a scale looks at no sample, so no test's level depends on it.
        """
        scaled = self.covariance / self.scale[:, :, None] / self.scale[:, None, :]
        values, vectors = np.linalg.eigh(scaled.mean(axis=0))
        basis = vectors[:, values > 1e-3 * values.max()]
        inside = basis.T @ scaled @ basis + 1e-6 * np.eye(basis.shape[1])
        root = np.broadcast_to(np.linalg.inv(np.linalg.cholesky(inside)), (len(counts), *inside.shape[1:]))
        result: FloatArray = np.einsum("nkl,nl->nk", root, self.standard(counts) @ basis)
        return result


def frame(scenario: Scenario, *, draws: int | None = None, seed: int = 0, by_exploitation: bool = False) -> Frame:
    """Return the columns of a scenario's journey counts; with ``draws``, moments of every parameter set of a run.

    Ended attempts by leg and cause are among them where parameters are fixed; else they would need too much memory.
    """
    moments = expected(scenario, draws=draws, seed=seed, ended=draws is None)
    names: list[tuple[str, ...]] = []
    rows: list[FloatArray] = []
    exploitations = scenario.levels("exploitation") if by_exploitation else (None,)
    for variable in (*JOURNEY, *(["ended"] if draws is None else [])):
        for label in dict.fromkeys(c.label for c in moments.components if c.variable == variable):
            for exploitation in exploitations:
                names.append((variable, label) if exploitation is None else (variable, label, exploitation))
                rows.append(moments.weights(variable, label=label, exploitation=exploitation))
    return _framed(moments, names, np.array(rows))


def _framed(moments: Moments, names: list[tuple[str, ...]], rows: FloatArray) -> Frame:
    assert moments.covariance is not None
    mean = moments.mean[:, 0] @ rows.T
    covariance = np.einsum("qd,nde,pe->nqp", rows, moments.covariance[:, 0], rows, optimize=True)
    possible = np.flatnonzero(mean.max(axis=0) > 0.0)
    return Frame([names[i] for i in possible], mean[:, possible], covariance[:, possible][:, :, possible])


def sample(
    scenario: Scenario, way: str, columns: list[tuple[str, ...]], *, replicates: int, seed: int, **options: object
) -> FloatArray:
    """Simulate and return the columns of a `Frame`, [replicates, Q].

    A run has all its replicates at one parameter set where the scenario's parameters are fixed.
    """
    by = tuple(scenario.document.store.by)
    with simcore.run(
        scenario, replicates=replicates, seed=seed, **{"store_by": by, "store_ended": True, **options, **WAYS[way]}
    ) as results:
        return read(results, columns)


def read(results: simcore.Results, columns: list[tuple[str, ...]]) -> FloatArray:
    """Return the columns of a `Frame` from results."""
    found: dict[tuple[str, bool], npt.NDArray[np.int64]] = {}
    counts = np.empty((results.replicates, len(columns)))
    for i, (variable, label, *exploitation) in enumerate(columns):
        key = variable, bool(exploitation)
        if key not in found:
            found[key] = results.read(variable, by=("exploitation",) if exploitation else ())
        place = [results.labels("exploitation").index(exploitation[0])] if exploitation else []
        axes = results.variable(variable).trailing
        names = label.split(":") if len(axes) == 2 else [label]
        place += [results.labels(axis).index(name) for axis, name in zip(axes, names, strict=True)]
        counts[:, i] = found[key][(slice(None), *place)]
    return counts
