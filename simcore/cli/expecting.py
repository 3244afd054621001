"""`simcore expected`: exact means and variances of what a run would count, without simulating anybody.

Given theta (and the shared effects) the mean and the variance of every count are known in closed form (docs/model.md
E1, E2). Over draws of theta the variance of a count is Var(mean) + E(variance): the first part is from parameters (and
shared effects), the second from individual chance (docs/model.md E6). What a bound victim's journey collects comes in
a table of its own (see `collected`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from simcore.cli.arguments import (
    LARGEST_DRAWS,
    DesignName,
    Json,
    Randomisation,
    ScenarioArgument,
    Settings,
    fitting_sets,
    load,
    read_axes,
    read_design,
    read_seed,
    read_whole,
)
from simcore.cli.collected import reward_rows, reward_table
from simcore.cli.figures import figure, percent, whole
from simcore.cli.terminal import heading, pairs, show, show_json, table
from simcore.cli.waiting import say_if_cold
from simcore.errors import UserError, nearest

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from simcore.moments import Moments
    from simcore.scenario import Scenario

    FloatArray = npt.NDArray[np.float64]

AXES = ("origin", "sex", "age_band", "exploitation")
DISCLAIMER = "Consequences of the stated assumptions, not estimates of prevalence."


@dataclass(frozen=True)
class Quantity:
    """One line of the table: exact mean and variance by chance, float64 [n, G], of a count or a fraction."""

    variable: str
    label: str
    exploitation: str
    mean: FloatArray
    variance: FloatArray


def _quantities(moments: Moments, scenario: Scenario, exploitation: str | None) -> Iterator[Quantity]:
    """Yield what the table shows, in the order of the journey."""
    import numpy as np

    def count(variable: str, label: str | None = None) -> Quantity:
        weights = moments.weights(variable, label=label, exploitation=exploitation)
        mean, variance = moments.mean_of(weights), moments.variance_of(weights)
        return Quantity(variable, label or "", exploitation or "", mean, variance)

    if exploitation is None:
        yield Quantity("persons", "", "", moments.persons, np.zeros_like(moments.persons))
        yield count("at_risk")
    yield count("victims")
    yield count("destination", moments.bound)
    yield from (count("reached", point) for point in scenario.levels("point"))
    yield from (count("outcome", outcome) for outcome in scenario.levels("outcome"))
    yield count("interceptions")
    bound = moments.weights("destination", label=moments.bound, exploitation=exploitation)
    arrived = moments.weights("outcome", label=moments.arrival, exploitation=exploitation)
    with np.errstate(divide="ignore", invalid="ignore"):
        base = moments.mean_of(bound)
        fraction = moments.mean_of(arrived) / base
        # A ratio has no exact variance: first order in both counts, which is close when many are bound.
        variance = moments.variance_of(arrived)
        variance = variance - 2.0 * fraction * moments.covariance_of(arrived, bound)
        variance = (variance + fraction**2 * moments.variance_of(bound)) / base**2
    yield Quantity("arrival_fraction", "", exploitation or "", fraction, np.maximum(variance, 0.0))


def _summary(quantity: Quantity, group: int, coordinates: dict[str, str]) -> dict[str, Any]:
    """Return one row: over theta if there are several sets, else mean and standard deviation."""
    import numpy as np

    mean, variance = quantity.mean[:, group], quantity.variance[:, group]
    if quantity.exploitation:
        coordinates = {**coordinates, "exploitation": quantity.exploitation}
    row: dict[str, Any] = {**coordinates, "quantity": quantity.variable, "label": quantity.label}
    if mean.size == 1:
        return {**row, "mean": float(mean[0]), "sd_chance": float(np.sqrt(variance[0]))}
    q05, median, q95 = (float(value) for value in np.quantile(mean, [0.05, 0.5, 0.95]))
    between, within = float(np.var(mean, ddof=1)), float(np.mean(variance))
    total = between + within
    return {
        **row,
        "mean": float(np.mean(mean)),
        "median": median,
        "q05": q05,
        "q95": q95,
        "sd_chance": float(np.median(np.sqrt(variance))),
        "share_from_parameters": between / total if total > 0.0 else None,
    }


def _wording(row: dict[str, Any]) -> str:
    """Return a quantity as people say it."""
    words = {
        "persons": "persons",
        "at_risk": "at risk",
        "victims": "trafficked",
        "destination": f"bound for {row['label']}",
        "reached": f"reached {row['label']}",
        "outcome": f"outcome {row['label']}",
        "interceptions": "interceptions (events)",
        "arrival_fraction": "arrived / bound",
    }
    return words[row["quantity"]]


def _rows(scenario: Scenario, moments: Moments, by: tuple[str, ...]) -> list[dict[str, Any]]:
    kinds: list[str | None] = [*scenario.levels("exploitation")] if "exploitation" in by else [None]
    made = []
    for group, coordinates in enumerate(moments.groups):
        for kind in kinds:
            made += [_summary(quantity, group, coordinates) for quantity in _quantities(moments, scenario, kind)]
    return made


def expected_verb(
    name: ScenarioArgument,
    settings: Settings = None,
    draws: Annotated[
        str | None, typer.Option("--draws", "-n", metavar="DRAWS", help="Draw so many parameter sets (default 1000).")
    ] = None,
    seed: Annotated[
        str | None,
        typer.Option("--seed", "-s", metavar="INTEGER", help="Seed of the draws; those of a run with it (default 0)."),
    ] = None,
    design: DesignName = "random",
    randomisation: Randomisation = "0",
    by: Annotated[
        str, typer.Option("--by", metavar="AXES", help="Keep axes apart: origin, sex, age_band, exploitation.")
    ] = "none",
    typical: Annotated[
        bool, typer.Option("--typical", help="One parameter set: scalars at their medians, shares at their means.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Compute exact means and variances of the counts, without simulating anybody."""
    for option, given in (("--draws", draws), ("--seed", seed)):
        if typical and given is not None:
            raise UserError(f"--typical {option} {given}: one parameter set is used, so nothing is drawn")
    count, seed_value = read_whole(draws or "1000", "--draws", 1, LARGEST_DRAWS), read_seed(seed or "0")
    chosen_design = read_design(design, randomisation)
    if typical and design != "random":
        raise UserError(f"--typical --design {design}: one parameter set is used, so nothing is drawn")
    count = fitting_sets(count, design, f"-n {count}")
    axes = read_axes(by)
    for axis in axes:
        if axis not in AXES:
            raise UserError(f"--by {axis}: no such axis{nearest(axis, AXES)} (axes: {', '.join(AXES)})")
    scenario = load(name, settings)
    say_if_cold()
    from simcore.model import compile_model
    from simcore.moments import ResultTooLarge, expected
    from simcore.rewards import expected_rewards

    model, drawn = compile_model(scenario, routes=False), None if typical else count
    try:
        moments = expected(
            model,
            draws=drawn,
            seed=seed_value,
            **chosen_design,
            by=[axis for axis in axes if axis != "exploitation"],
        )
    except ResultTooLarge as large:
        typed = "--typical" if typical else f"-n {large.sets}"
        advice = "fewer axes (--by)" if typical else "fewer draws (-n) or axes (--by)"
        raise UserError(f"{typed} --by {','.join(axes) or 'none'}: {large.why}: {advice}") from None
    rows = _rows(scenario, moments, axes)
    collected = reward_rows(expected_rewards(model, draws=drawn, seed=seed_value, **chosen_design, by=axes))
    head = {
        "scenario": scenario.name,
        "title": scenario.document.title,
        "cohort_year": scenario.document.cohort_year,
        "definition": scenario.document.definition,
        "digest": scenario.digest,
        "simulated": False,
        "parameter_sets": 1 if typical else count,
        "seed": None if typical else seed_value,
        **chosen_design,
        "by": list(axes),
    }
    if as_json:
        show_json({**head, "rows": rows, "rewards": collected})
        return
    heading(f"{scenario.name}: {scenario.document.title}")
    source = "one typical parameter set" if typical else f"{whole(count)} draws of the parameters, seed {seed_value}"
    if design != "random":
        source += f", design {design}, randomisation {chosen_design['randomisation']}"
    show(
        pairs(
            {
                "computed": f"exact moments over {source}; nothing was simulated",
                "counted as trafficked": " ".join(scenario.document.definition.split()),
            }
        ),
        "",
        _table(rows, axes, single=typical or count == 1),
        "",
        reward_table(collected, axes, single=typical or count == 1),
        "",
        DISCLAIMER,
    )
    if not (typical or count == 1):
        show(
            "Median and 90 % interval are those of the exact mean over parameter sets (and shared effects); "
            "'sd of chance' is what individual chance adds given the parameters; the share is Var(mean) / "
            "(Var(mean) + E(Var)). The sd of arrived / bound is to first order. Per bound victim, 'sd' is from person "
            "to person and 'mean if arrived' of those who arrive; both are medians over parameter sets."
        )


def _table(rows: list[dict[str, Any]], axes: tuple[str, ...], *, single: bool) -> Any:
    columns = ["mean", "sd of chance"] if single else ["median", "5 %", "95 %", "sd of chance", "from parameters"]
    lines = []
    for row in rows:
        places = [row.get(axis, "") for axis in axes]
        if single:
            values = [figure(row["mean"]), figure(row["sd_chance"])]
        else:
            values = [figure(row[key]) for key in ("median", "q05", "q95", "sd_chance")]
            values.append(percent(row["share_from_parameters"]))
        lines.append([*places, _wording(row), *values])
    return table([*axes, "quantity", *columns], lines, right=columns)
