"""The second table of `simcore expected`: what a bound victim's journey collects (docs/model.md E3, E4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from simcore.cli.figures import figure
from simcore.cli.terminal import table

if TYPE_CHECKING:
    from simcore.rewards import RewardMoments


def reward_rows(moments: RewardMoments) -> list[dict[str, Any]]:
    """Return one row per group and reward; with several parameter sets medians over those in which anybody is bound."""
    import numpy as np

    rows: list[dict[str, Any]] = []
    for group, coordinates in enumerate(moments.groups):
        for index, (name, unit) in enumerate(zip(moments.names, moments.units, strict=True)):
            mean, of_arrived = moments.mean[:, group, index], moments.mean_of_arrived[:, group, index]
            spread = np.sqrt(moments.variance[:, group, index])
            spread_of_arrived = np.sqrt(moments.variance_of_arrived[:, group, index])
            row: dict[str, Any] = {**coordinates, "reward": name, "unit": unit}
            if mean.size == 1:
                row |= {"mean": _known(mean)}
            else:
                row |= {"mean": _known(mean, np.mean), "median": _known(mean)}
                row |= {"q05": _quantile(mean, 0.05), "q95": _quantile(mean, 0.95)}
            row |= {"sd": _known(spread), "mean_of_arrived": _known(of_arrived)}
            rows.append({**row, "sd_of_arrived": _known(spread_of_arrived)})
    return rows


def _known(values: Any, statistic: Any = None) -> float | None:
    """Return the median (or another statistic) of the values that are numbers, None if there are none."""
    import numpy as np

    numbers = values[np.isfinite(values)]
    return float((statistic or np.median)(numbers)) if numbers.size else None


def _quantile(values: Any, probability: float) -> float | None:
    import numpy as np

    return _known(values, lambda numbers: np.quantile(numbers, probability))


def reward_table(rows: list[dict[str, Any]], axes: tuple[str, ...], *, single: bool) -> Any:
    """Return the table that people read."""
    keys = ["mean", "sd", "mean_of_arrived"] if single else ["median", "q05", "q95", "sd", "mean_of_arrived"]
    words = ["mean", "sd", "mean if arrived"] if single else ["median", "5 %", "95 %", "sd", "mean if arrived"]
    lines = [
        [
            *(row.get(axis, "") for axis in axes),
            row["reward"] if row["reward"] == row["unit"] else f"{row['reward']} ({row['unit']})",
            *("" if row[key] is None else figure(row[key]) for key in keys),
        ]
        for row in rows
    ]
    return table([*axes, "per bound victim", *words], lines, right=words)
