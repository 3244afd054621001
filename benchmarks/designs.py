"""Designs of parameter sets: error of a mean by random draws, Latin hypercubes and scrambled Sobol' points.

On the exact means E[Y | theta] of phase1, nothing simulated. The error of a design is the root mean square difference
between the mean over its n parameter sets and a reference, over independent randomisations (for random draws: seeds).
The reference is the mean over other Sobol' randomisations of four times as many points. Its own standard error is
reported; it is part of every difference, so it must be small against them.

The first n points of a Sobol' design of more points are a Sobol' design too, and so are random draws; a Latin hypercube
is made anew for every n.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

import numpy as np
import numpy.typing as npt

import simcore
from simcore.model import CompiledModel
from simcore.uncertainty.design import DESIGNS, LATIN_HYPERCUBE, RANDOM, SOBOL

if TYPE_CHECKING:
    from matplotlib.axes import Axes

OUTPUTS = ("log10 arrivals", "arrivals")
POWERS = tuple(range(10, 17))
QUICK_POWERS = tuple(range(8, 13))
RANDOMISATIONS, QUICK_RANDOMISATIONS = 20, 8
REFERENCE_RANDOMISATIONS = 10
REFERENCE_FACTOR = 4
_FIRST_REFERENCE = 1_000_000  # far from the numbers of the randomisations that are tested

FloatArray = npt.NDArray[np.float64]
Report = Callable[[str], None]


class DesignLine(TypedDict):
    """Errors of one design for one output: a point per number of parameter sets."""

    design: str
    output: str
    sets: list[int]
    rmse: list[float]
    rmse_error: list[float]
    slope: float


class DesignsResult(TypedDict):
    """Everything measured; ``gain`` is the error of random draws over that of a design, at the most sets."""

    scenario: str
    randomisations: int
    reference: dict[str, float]
    reference_error: dict[str, float]
    reference_sets: int
    lines: list[DesignLine]
    gain: dict[str, dict[str, float]]
    gain_interval: dict[str, dict[str, tuple[float, float]]]


def arrivals(model: CompiledModel, sets: int, design: str, number: int, seed: int) -> FloatArray:
    """Return E[arrivals | theta], float64 [sets], of one randomisation; random draws take another seed instead."""
    moments = simcore.expected(
        model,
        draws=sets,
        seed=seed + number if design == RANDOM else seed,
        design=design,
        randomisation=0 if design == RANDOM else number,
        covariance=False,
    )
    return moments.mean_of(moments.weights("outcome", label=moments.arrival))[:, 0]


def means(values: FloatArray) -> FloatArray:
    """Return the mean of every output, float64 [2], of arrivals, float64 [n]."""
    return np.array([np.mean(np.log10(values)), np.mean(values)])


def measure_designs(*, quick: bool, seed: int, report: Report = lambda _: None) -> DesignsResult:
    """Measure the errors of all designs on phase1."""
    model = simcore.compile_model(simcore.load_scenario("phase1"), routes=False)
    powers = QUICK_POWERS if quick else POWERS
    number = QUICK_RANDOMISATIONS if quick else RANDOMISATIONS
    sets = [2**power for power in powers]
    reference_sets = REFERENCE_FACTOR * sets[-1]
    references = []
    for turn in range(REFERENCE_RANDOMISATIONS):
        report(f"reference {turn + 1} of {REFERENCE_RANDOMISATIONS}")
        references.append(means(arrivals(model, reference_sets, SOBOL, _FIRST_REFERENCE + turn, seed)))
    reference = np.mean(references, axis=0)
    found: dict[str, FloatArray] = {}
    for design in DESIGNS:
        found[design] = np.empty((number, len(sets), len(OUTPUTS)))
        for turn in range(number):
            report(f"{design} {turn + 1} of {number}")
            if design == LATIN_HYPERCUBE:
                found[design][turn] = [means(arrivals(model, n, design, turn, seed)) for n in sets]
            else:
                values = arrivals(model, sets[-1], design, turn, seed)
                found[design][turn] = [means(values[:n]) for n in sets]
    squares = {design: (each - reference) ** 2 for design, each in found.items()}
    return {
        "scenario": model.scenario.name,
        "randomisations": number,
        "reference": dict(zip(OUTPUTS, reference.tolist(), strict=True)),
        "reference_error": dict(
            zip(OUTPUTS, (np.std(references, axis=0, ddof=1) / np.sqrt(len(references))).tolist(), strict=True)
        ),
        "reference_sets": reference_sets * REFERENCE_RANDOMISATIONS,
        "lines": [
            _line(design, output, sets, squares[design][:, :, column])
            for column, output in enumerate(OUTPUTS)
            for design in DESIGNS
        ],
        "gain": {
            output: {design: _gain(squares, design, column) for design in DESIGNS if design != RANDOM}
            for column, output in enumerate(OUTPUTS)
        },
        "gain_interval": {
            output: {design: _gain_interval(squares, design, column, seed) for design in DESIGNS if design != RANDOM}
            for column, output in enumerate(OUTPUTS)
        },
    }


def _line(design: str, output: str, sets: Sequence[int], squares: FloatArray) -> DesignLine:
    """Return one line from squared errors, float64 [randomisations, sets]."""
    mean = np.mean(squares, axis=0)
    rmse = np.sqrt(mean)
    # Delta method: sd of the mean square, over twice its root.
    error = np.std(squares, axis=0, ddof=1) / np.sqrt(len(squares)) / (2.0 * rmse)
    slope = float(np.polyfit(np.log2(sets), np.log2(rmse), 1)[0])
    return {
        "design": design,
        "output": output,
        "sets": list(sets),
        "rmse": rmse.tolist(),
        "rmse_error": error.tolist(),
        "slope": slope,
    }


def _gain(squares: dict[str, FloatArray], design: str, column: int) -> float:
    return float(np.sqrt(np.mean(squares[RANDOM][:, -1, column]) / np.mean(squares[design][:, -1, column])))


def _gain_interval(squares: dict[str, FloatArray], design: str, column: int, seed: int) -> tuple[float, float]:
    """Return a 90 % bootstrap interval of the gain, over randomisations."""
    generator = np.random.Generator(np.random.Philox(seed))
    random, other = squares[RANDOM][:, -1, column], squares[design][:, -1, column]
    chosen = generator.integers(len(random), size=(2, 4000, len(random)))
    ratios = np.sqrt(random[chosen[0]].mean(axis=1) / other[chosen[1]].mean(axis=1))
    low, high = np.quantile(ratios, (0.05, 0.95))
    return float(low), float(high)


def draw_designs(result: DesignsResult, path: Path) -> None:
    """Draw error against number of parameter sets, a panel per output, on logarithmic axes."""
    from matplotlib import pyplot as plt

    figure, panels = plt.subplots(1, len(OUTPUTS), figsize=(10.0, 4.2), layout="constrained")
    for output, axes in zip(OUTPUTS, panels, strict=True):
        _draw_output(result, output, axes)
    figure.suptitle(
        f"{result['scenario']}: error of the mean of E[Y | theta] over {result['randomisations']} randomisations "
        "(bars: one standard error)",
        fontsize=9,
    )
    figure.savefig(path, dpi=130)
    plt.close(figure)


def _draw_output(result: DesignsResult, output: str, axes: Axes) -> None:
    colours = {RANDOM: "#555555", LATIN_HYPERCUBE: "#c9812f", SOBOL: "#1f5a7a"}
    markers = {RANDOM: "o", LATIN_HYPERCUBE: "s", SOBOL: "^"}
    for line in result["lines"]:
        if line["output"] == output:
            design = line["design"]
            axes.errorbar(
                line["sets"],
                line["rmse"],
                yerr=line["rmse_error"],
                color=colours[design],
                marker=markers[design],
                capsize=2,
                label=f"{design} (slope {line['slope']:.2f})",
            )
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_xlabel("parameter sets")
    axes.set_ylabel(f"RMSE of the mean of {output}")
    gain = ", ".join(f"{design} {value:.3g}" for design, value in result["gain"][output].items())
    axes.set_title(f"random over: {gain} (at the most sets)", fontsize=8.5, loc="left")
    axes.grid(True, which="major", alpha=0.3)
    axes.legend(fontsize=8)
