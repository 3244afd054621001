"""The verb `simcore variance`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from analysis.command_line import check_figure, naming_options
from simcore.cli.arguments import read_axes, read_whole

_MOST_SETS = 10**7


def variance(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="Results file, as written by `simcore run`.")],
    by: Annotated[
        str | None, typer.Option("--by", metavar="AXES", help="One block per level, such as origin,sex.")
    ] = None,
    quantity: Annotated[
        list[str] | None, typer.Option("--quantity", metavar="NAME", help="Output, such as arrived; may be repeated.")
    ] = None,
    route: Annotated[
        str, typer.Option("--route", metavar="auto|exact|nested", help="In closed form, or from a nested run.")
    ] = "auto",
    sets: Annotated[
        str | None, typer.Option("--sets", metavar="N", help="Parameter sets to use at most (default 16384).")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Everything as JSON, nothing rounded.")] = False,
    figure: Annotated[
        Path | None, typer.Option("--figure", metavar="PATH", help="Also draw stacked bars (.png, .pdf or .svg).")
    ] = None,
) -> None:
    """Split the variance of outputs: parameters, model form, missing data, shared and individual chance."""
    from analysis.variance.inner_size import inner_sizes, measure_costs
    from analysis.variance.rendering import print_split
    from analysis.variance.split import MOST_SETS, split_variance
    from simcore.cli.terminal import show_json, talk
    from simcore.cli.waiting import say_if_cold, waiting
    from simcore.store import open_results

    axes = () if by is None else read_axes(by)
    most = MOST_SETS if sets is None else read_whole(sets, "--sets", 2, _MOST_SETS)
    if figure is not None:
        check_figure(figure, path)
    with open_results(path) as results:
        say_if_cold()
        with waiting("moments and resampling: seconds per thousand parameter sets"):
            with naming_options(quantities="--quantity", route="--route", by="--by"):
                split = split_variance(results, by=axes, quantities=quantity, route=route, sets=most)
            costs = sizes = None
            if results.nested[1] > 1:
                costs = measure_costs(results)
                sizes = inner_sizes(split.outputs, *results.nested, costs)
    if as_json:
        content = split.as_json()
        if sizes is not None and costs is not None:
            content["seconds_per_parameter_set"], content["seconds_per_replicate"] = costs.set, costs.replicate
            for output, size in zip(content["outputs"], sizes, strict=True):
                output["inner_size"] = size.as_json()
        show_json(content)
    else:
        print_split(split, sizes, costs)
    if figure is not None:
        from analysis.variance.figure import save_variance_bars

        save_variance_bars(split, figure)
        talk(f"figure: {figure}")
