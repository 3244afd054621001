"""Trafficking events: competing hazards per at-risk person (docs/model.md B1), with the optional `dual` level."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from simcore.compilation import bare_kernel


@bare_kernel
def event_probabilities(
    hazards: npt.NDArray[np.float64],
    members: npt.NDArray[np.int64],
    combined_share: npt.NDArray[np.float64],
    exposure_years: float,
    events: npt.NDArray[np.float64],
) -> None:
    """Fill ``events`` (float64 [2**R, 1 + X]): P(no event | risk class m), then P(event of exploitation x | m).

    Parameters
    ----------
    hazards : float64 [X]
        Hazard per at-risk person-year of each exploitation [1/year]; ignored for a combined level.
    members : int64 [X]
        Risk bits that a person needs: one bit for an ordinary level, several for a combined one.
    combined_share : float64 [X]
        Share of the events of persons with all those bits that are of the combined level; -1 for an ordinary level.
    exposure_years : float
        T [years].

    Notes
    -----
    With h = sum of the hazards of the bits that a class holds, P(any event) = 1 - exp(-h T), shared between the bits in
    proportion to their hazards; a combined level takes its share of it first, so that nobody is counted twice.
    """
    for risk_class in range(events.shape[0]):
        total = 0.0
        combined = 0.0
        for x in range(hazards.size):
            holds = (members[x] & risk_class) == members[x]
            if combined_share[x] < 0.0:
                if holds:
                    total += hazards[x]
            elif holds:
                combined += combined_share[x]
        any_event = -math.expm1(-total * exposure_years)
        events[risk_class, 0] = math.exp(-total * exposure_years)
        ordinary = max(1.0 - combined, 0.0) * any_event
        for x in range(hazards.size):
            probability = 0.0
            if (members[x] & risk_class) == members[x] and total > 0.0:
                if combined_share[x] < 0.0:
                    probability = ordinary * hazards[x] / total
                else:
                    probability = combined_share[x] * any_event
            events[risk_class, 1 + x] = probability
