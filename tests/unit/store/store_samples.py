"""Small layouts with random counts, and a run of the writer over them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from simcore.store import CHUNK_ROWS, Dimension, Layout, ParameterColumn, Results, Variable, Writer, encode_block
from simcore.store.description import DESCRIPTION_CHECKSUM, description_checksum

Counts = dict[str, NDArray[Any]]


def seal(path: Path) -> None:
    """Make the checksum of labels, attributes and documents that of what a test changed in them."""
    with h5py.File(path, "r+") as file:
        file.attrs[DESCRIPTION_CHECKSUM] = np.bytes_(description_checksum(file).encode())


ORIGIN = Dimension("origin", ("COL", "ECU", "Ñandú"), "country of origin")
SEX = Dimension("sex", ("female", "male"), "sex")
AGE = Dimension("age_band", ("12-17", "18+"), "age band")
EXPLOITATION = Dimension("exploitation", ("S", "L"), "kind of exploitation")
ALL = Dimension("everybody", ("all",), "a single stratum")
RISK = Dimension("risk", ("S_only", "L_only", "both"), "risk set")
POINT = Dimension("point", ("ORIGIN", "HUB", "BORDER"), "journey point")
LEG = Dimension("leg", ("air", "land"), "leg")

PARAMETERS = (
    ParameterColumn("rho", "probability", "overlap", "elicited", "panel_2004", "beta(mean=0.1, size=20)", ""),
    ParameterColumn("multiplier[COL,S]", "ratio", "multiplier", "illustrative", "", "fixed(1)", "origin,exploitation"),
    ParameterColumn("share[hub]", "share", "share of the hub", "measured", "dhs_2005", "dirichlet", ""),
)

LAYOUTS = {
    "age summed out": Layout(
        (ORIGIN, SEX, EXPLOITATION, RISK, POINT),
        (
            Variable("persons", ("origin", "sex"), (), "int64", long_name="population", summed_out=("age_band",)),
            Variable("at_risk", ("origin", "sex"), ("risk",), "int64", long_name="at risk", summed_out=("age_band",)),
            Variable(
                "victims", ("origin", "sex", "exploitation"), (), long_name="trafficked", summed_out=("age_band",)
            ),
            Variable(
                "reached",
                ("origin", "sex", "exploitation"),
                ("point",),
                long_name="reached",
                description="ever there",
                summed_out=("age_band",),
            ),
        ),
        PARAMETERS,
    ),
    "every axis": Layout(
        (ORIGIN, SEX, AGE, EXPLOITATION),
        (Variable("victims", ("origin", "sex", "age_band", "exploitation"), long_name="trafficked"),),
        PARAMETERS[:1],
    ),
    "one stratum": Layout(
        (ALL, POINT), (Variable("visits", ("everybody",), ("point",), units="events", long_name="visits"),), ()
    ),
    "no strata": Layout(
        (LEG, POINT),
        (Variable("ended", (), ("leg", "point"), long_name="ended"), Variable("victims", (), long_name="v")),
        PARAMETERS,
    ),
}


def random_counts(layout: Layout, rows: int, seed: int = 0, largest: int = 2000) -> Counts:
    """Counts [slots, rows, *trailing] of every variable, of its stored type."""
    generator = np.random.default_rng(seed)
    return {
        variable.name: generator.integers(
            0,
            largest * (10**8 if variable.dtype == "int64" else 1),
            size=(layout.slots(variable), rows, *layout.sizes(variable.trailing)),
            dtype=variable.dtype,
        )
        for variable in layout.variables
    }


def random_theta(layout: Layout, thetas: int, seed: int = 1) -> NDArray[np.float64]:
    return np.random.default_rng(seed).beta(2, 5, size=(thetas, len(layout.parameters)))


def start(target: Path | None, layout: Layout, replicates: int, inner: int = 1, **options: Any) -> Writer:
    return Writer(
        target,
        layout,
        replicates=replicates,
        thetas=replicates // inner,
        attributes={"seed": 7, "scenario_name": "tiny", "engine": "agent"},
        documents={"scenario": '{"name": "tiny"}', "data/population.csv": "origin,persons\nCOL,1\nÑ,2\n"},
        **options,
    )


def commit_rows(writer: Writer, counts: Counts, rows: slice, inner: int = 1) -> None:
    number = np.arange(rows.start, rows.stop)
    writer.commit(
        encode_block(
            writer.layout,
            {name: values[:, rows] for name, values in counts.items()},
            first_row=rows.start,
            theta_id=number // inner,
            replicate_id=number % inner,
            shared_id=number % inner,
            seconds=0.25,
            agents=10 * len(number),
        )
    )


def write(
    target: Path | None,
    layout: Layout,
    counts: Counts,
    theta: NDArray[np.float64],
    *,
    inner: int = 1,
    block_rows: int = CHUNK_ROWS,
    **options: Any,
) -> Results:
    """Write a whole run in blocks of ``block_rows`` and return its results."""
    replicates = next(iter(counts.values())).shape[1]
    with start(target, layout, replicates, inner, **options) as writer:
        for first in range(0, replicates, block_rows):
            last = min(first + block_rows, replicates)
            commit_rows(writer, counts, slice(first, last), inner)
            writer.write_theta(first // inner, theta[first // inner : (last - 1) // inner + 1])
        return writer.finish(attributes={"finished": "2026-01-01T00:00:00Z"})


def unfold(layout: Layout, variable: Variable, counts: NDArray[Any]) -> NDArray[np.int64]:
    """Counts [slots, rows, *trailing] as [rows, *strata, *trailing]."""
    shape = layout.sizes(variable.strata)
    by_stratum = counts.astype(np.int64).reshape(*shape, *counts.shape[1:])
    return np.moveaxis(by_stratum, len(shape), 0)


def summed(layout: Layout, variable: Variable, counts: NDArray[Any], by: tuple[str, ...]) -> NDArray[np.int64]:
    """What reading ``by`` some axes must give, computed the obvious way."""
    values = unfold(layout, variable, counts)
    dropped = tuple(1 + place for place, axis in enumerate(variable.strata) if axis not in by)
    kept = [axis for axis in variable.strata if axis in by]
    values = values.sum(axis=dropped)
    order = [1 + kept.index(axis) for axis in by]
    trailing = range(1 + len(kept), values.ndim)
    return values.transpose(0, *order, *trailing)
