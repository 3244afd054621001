"""Results files with counts made up here, so that every figure of a summary can be worked out beside it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from analysis.passes import Measured, measure
from analysis.stages import Stage
from simcore.store import CHUNK_ROWS, Dimension, Layout, Results, Variable, Writer, encode_block

SCENARIO: dict[str, Any] = {
    "strata": {
        "origin": {"AAA": {"label": "First [red]origin[/red]"}, "BBB": {}},
        "sex": {"female": {"label": "Female"}, "male": {}},
        "age_band": {"young": {}, "middle": {}, "old": {}},
        "exploitation": {"S": {"label": "Sexual"}, "L": {}},
    },
    "groups": {"age_band": {"active": ["middle"]}},
    "at_risk": {"model": "expert", "active": {"age_band": ["active"]}},
    "destinations": {"bound": "BORDER", "levels": {"BORDER": {"label": "the border"}, "ELSEWHERE": {}}},
    "outcomes": {
        "arrival": "IN",
        "returned": "BACK",
        "interception": "STOPPED",
        "levels": {"IN": {"label": "arrived"}, "BACK": {}, "LOST": {}},
    },
    "transit": {"arrival_point": "END", "points": {"START": {"label": "the start"}, "LINE": {}, "END": {}}},
}
AXES = ("origin", "sex", "exploitation")
_SUMMED = ("age_band",)

LAYOUT = Layout(
    (
        Dimension("origin", ("AAA", "BBB")),
        Dimension("sex", ("female", "male")),
        Dimension("exploitation", ("S", "L")),
        Dimension("risk", ("S_only", "L_only", "both")),
        Dimension("dest", ("BORDER", "ELSEWHERE")),
        Dimension("point", ("START", "LINE", "END")),
        Dimension("absorbing", ("IN", "BACK", "LOST")),
        Dimension("attempt", ("1", "2")),
    ),
    (
        Variable("persons", AXES[:2], (), "int64", summed_out=_SUMMED),
        Variable("at_risk", AXES[:2], ("risk",), "int64", summed_out=_SUMMED),
        Variable("victims", AXES, (), summed_out=_SUMMED),
        Variable("destination", AXES, ("dest",), summed_out=_SUMMED),
        Variable("reached", AXES, ("point",), summed_out=_SUMMED),
        Variable("visits", AXES, ("point",), summed_out=_SUMMED),
        Variable("outcome", AXES, ("absorbing",), summed_out=_SUMMED),
        Variable("attempts", AXES, ("attempt",), summed_out=_SUMMED),
    ),
)

ATTRIBUTES = {
    "scenario_name": "sample",
    "scenario_title": "A sample of [bold]made-up[/bold] counts",
    "scenario_digest": "0" * 64,
    "definition": "Whatever is counted\nhere.",
    "cohort_year": 2001,
    "seed": "12345678901234567890",
    "engine": "agent",
    "walker": "collapsed",
}

Counts = dict[str, NDArray[np.int64]]


def make_counts(
    rows: int, *, seed: int = 3, bound_mean: float = 6.0, effect: NDArray[np.float64] | None = None
) -> Counts:
    """Counts [slot, rows, *trailing] that keep the identities of the journey; ``effect`` [rows] scales those bound."""
    draw = np.random.default_rng(seed)
    mean = np.full(rows, bound_mean) * (1.0 if effect is None else effect)
    bound = draw.poisson(mean, (8, rows))
    elsewhere = draw.poisson(3.0, (8, rows))
    stopped_once = draw.binomial(bound, 0.5)  # of the first attempt
    again = draw.binomial(stopped_once, 0.6)
    stopped_twice = draw.binomial(again, 0.3)
    back = (stopped_once - again) + stopped_twice
    lost = draw.binomial(bound - back, 0.1)
    arrived = bound - back - lost
    at_risk = draw.poisson(50.0, (4, rows, 3))
    line = bound - draw.binomial(lost, 0.5)
    points = np.stack([bound, line, arrived], axis=-1)
    return {
        "persons": np.full((4, rows), 1000) + draw.integers(0, 50, (4, rows)),
        "at_risk": at_risk,
        "victims": bound + elsewhere,
        "destination": np.stack([bound, elsewhere], axis=-1),
        "reached": points,
        "visits": points + np.stack([again, np.zeros_like(again), np.zeros_like(again)], axis=-1),
        "outcome": np.stack([arrived, back, lost], axis=-1),
        "attempts": np.stack([bound, again], axis=-1),
    }


def write(
    counts: Counts,
    *,
    target: Path | None = None,
    nested: tuple[int, int] | None = None,
    scenario: dict[str, Any] | None = None,
    **attributes: Any,
) -> Results:
    """Write counts as a results file, or in memory."""
    rows = counts["victims"].shape[1]
    outer, inner = nested or (rows, 1)
    documents = {"scenario.json": json.dumps(SCENARIO if scenario is None else scenario)}
    with Writer(
        target, LAYOUT, replicates=rows, thetas=outer, attributes=ATTRIBUTES | attributes, documents=documents
    ) as writer:
        writer.write_theta(0, np.zeros((outer, 0)))
        for first in range(0, rows, CHUNK_ROWS):
            number = np.arange(first, min(first + CHUNK_ROWS, rows))
            block = {
                name: np.ascontiguousarray(values[:, number[0] : number[-1] + 1]) for name, values in counts.items()
            }
            writer.commit(
                encode_block(
                    LAYOUT,
                    block,
                    first_row=first,
                    theta_id=number // inner,
                    replicate_id=number % inner,
                    shared_id=number % inner,
                )
            )
        return writer.finish("complete")


def measure_column(
    values: NDArray[np.float64], probabilities: Sequence[float], *, inner: int = 1, cells: int = 1
) -> Measured:
    """Measure columns of numbers [rows] or [rows, cells] as if they were read from a file."""
    rows = len(values)

    class Arrays:
        """What `measure` asks of results."""

        replicates = rows
        nested = (rows // inner, inner)
        path = None
        layout = SimpleNamespace(sizes=lambda axes: (cells,) * len(tuple(axes)))

        def read(self, name: str, *, by: Sequence[str], rows: slice) -> NDArray[np.float64]:
            return values[rows]

        def theta_ids(self, rows: slice) -> NDArray[np.uint32]:
            return (np.arange(len(values))[rows] // inner).astype(np.uint32)

    stage = Stage("x", "x", "persons", "source", ("x",), lambda counts: np.asarray(counts["x"], dtype=np.float64))
    by = ("axis",) if cells > 1 else ()
    return measure(cast(Results, Arrays()), [stage], by=by, probabilities=probabilities)
