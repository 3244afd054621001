"""The verb `simcore reweight`: stored replicates re-weighted to changed priors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from simcore.cli.arguments import Json
from simcore.cli.terminal import show_json, talk
from simcore.errors import UserError


def reweight(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="Results file, as written by `simcore run`.")],
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="PATH=VALUE",
            help="A changed prior, such as parameters.NAME.distribution.mean=0.5. Repeatable.",
            show_default=False,
        ),
    ] = None,
    prior: Annotated[
        list[Path] | None,
        typer.Option("--prior", metavar="FILE", help="A TOML file of changed priors. Repeatable.", show_default=False),
    ] = None,
    level: Annotated[
        list[float] | None,
        typer.Option("--level", metavar="SHARE", help="Level of an interval, such as 0.9; may be repeated."),
    ] = None,
    exact: Annotated[bool, typer.Option("--exact", help="Show figures from 1 to 9 too, else printed as <10.")] = False,
    as_json: Json = False,
) -> None:
    """Re-weight stored replicates to changed priors, without a new run."""
    from analysis.command_line import check_levels
    from analysis.reweighting.priors import patch_layer
    from analysis.reweighting.weighted import summarize_weighted
    from analysis.reweighting.weights import as_layers
    from analysis.reweighting.weights import reweight as weigh
    from analysis.summaries import LEVELS, summarize
    from simcore.store import open_results

    check_levels(level)
    if not settings and not prior:
        raise UserError("give the changed priors: --set parameters.NAME.distribution=... or --prior FILE")
    layers = [*(patch_layer(file) for file in prior or ()), *as_layers(settings or [])]
    with open_results(path) as results:
        weights = weigh(results, layers)
        levels = level or LEVELS
        before = summarize(results, levels=levels)
        after = summarize_weighted(results, weights, levels=levels)
    if as_json:
        show_json(
            {
                "reweighted": weights.as_json(),
                "before": json.loads(before.to_json()),
                "after": json.loads(after.to_json()),
            }
        )
        if weights.warning:
            talk(f"warning: {weights.warning}")
        return
    from analysis.reweighting.rendering import show_reweighted

    show_reweighted(weights, before, after, exact=exact)
