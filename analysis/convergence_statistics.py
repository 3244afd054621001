"""Statistics by name: mean, median, and quantiles such as q05, q95 or q97.5."""

from __future__ import annotations

import re

from simcore.errors import UserError, nearest

_QUANTILE = re.compile(r"q(\d{1,2}(?:\.\d+)?)")
_KNOWN = ("mean", "median", "q05", "q25", "q75", "q95")


def probability_of(statistic: str) -> float | None:
    """Return the probability of a quantile, None for the mean.

    Raises
    ------
    UserError
        If it is neither, with the nearest known one.
    """
    if statistic == "mean":
        return None
    if statistic == "median":
        return 0.5
    match = _QUANTILE.fullmatch(statistic)
    percent = float(match[1]) if match else 0.0
    if not 0.0 < percent < 100.0:
        hint = nearest(statistic, _KNOWN) or " (known: mean, median, qNN such as q95)"
        raise UserError(f"no such statistic '{statistic}'{hint}")
    return percent / 100.0
