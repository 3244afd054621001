"""`--dry-run`: how long a run would take and how much disk it would fill.

Both a new run and a longer one are forecast from a small pilot in memory, so that it is this machine's speed today.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simcore.cli.figures import duration, figure, size, whole
from simcore.cli.stored import stored_datasets
from simcore.cli.terminal import heading, pairs, show, talk
from simcore.store.layout import CHUNK_ROWS
from simcore.store.target import free_bytes, parts_path, refuse_without_room

if TYPE_CHECKING:
    from simcore.store import Results

SMALL_PILOT = 256
LONGEST_PILOT = 5.0  # seconds that a pilot of a whole chunk may take
DESCRIPTION_BYTES = 3200  # per dataset, for its attributes, scales and index; measured

PilotRun = Callable[..., "Results"]


@dataclass(frozen=True)
class Forecast:
    """What a run would need.

    Attributes
    ----------
    pilot : int
        Replicates that were simulated for it.
    rate : float
        Replicates per second.
    agents_rate : float
        Agents walked per second.
    seconds, bytes : float
        Of the whole run; the bytes are those of the finished file. While it runs, the shards take as much again.
    """

    pilot: int
    rate: float
    agents_rate: float
    seconds: float
    bytes: float


def _pilot_design(rows: int, outer: int, inner: int) -> dict[str, Any]:
    """Return the arguments of a run of about ``rows`` replicates in the same kind of loop."""
    if inner == 1:
        return {"replicates": min(rows, outer)}
    per_set = min(inner, rows)
    return {"nested": (min(outer, max(1, rows // per_set)), per_set)}


def make_forecast(simulate: PilotRun, outer: int, inner: int) -> Forecast:
    """Run pilots and extrapolate.

    Parameters
    ----------
    simulate : callable
        `simcore.run` with everything but the design given.
    outer, inner : int
        Design of the run: parameter sets and replicates of each.
    """
    simulate(**_pilot_design(1, outer, inner)).close()  # compiles and fills caches
    pilot = simulate(**_pilot_design(SMALL_PILOT, outer, inner))
    seconds = float(pilot.attributes["wall_seconds"])
    if seconds * CHUNK_ROWS / pilot.replicates <= LONGEST_PILOT and outer * inner > pilot.replicates:
        pilot.close()
        pilot = simulate(**_pilot_design(CHUNK_ROWS, outer, inner))
        seconds = max(float(pilot.attributes["wall_seconds"]), 1e-9)
    with pilot:
        rate = pilot.replicates / seconds
        datasets = stored_datasets(pilot)
        per_row = sum(dataset.stored for dataset in datasets if dataset.grows) / pilot.replicates
        rest = DESCRIPTION_BYTES * len(datasets) + sum(len(text.encode()) for text in pilot.documents().values())
        agents_rate = float(pilot.attributes["agents_walked"]) / seconds
        rows = outer * inner
        return Forecast(pilot.replicates, rate, agents_rate, rows / rate, rest + per_row * rows)


def show_forecast(forecast: Forecast, output: Path, outer: int, inner: int, seed: int) -> None:
    """Print a forecast; ResultsError if the disk has not the room for it."""
    free = free_bytes(output)
    heading("Forecast (nothing was written)")
    loop = f" ({whole(outer)} parameter sets x {whole(inner)})" if inner > 1 else ""
    show(
        pairs(
            {
                "replicates": f"{whole(outer * inner)}{loop}",
                "time": duration(forecast.seconds),
                "rate": _rates(forecast),
                "disk": f"{size(forecast.bytes)} in {output}; {size(2 * forecast.bytes)} while it runs, with the "
                f"finished blocks that the file is made of; {size(free)} are free",
                "pilot": _pilot(forecast, seed),
            }
        )
    )
    if os.path.lexists(output):
        talk(f"warning: {output}: exists; a run would accept it only if it holds this very run")
    refuse_without_room(output, 2 * forecast.bytes)


def show_longer_forecast(forecast: Forecast, file: Path, held: int, safe: int, asked: int, seed: int) -> None:
    """Print what making a file longer would need; ResultsError if the disk has not the room for it.

    Parameters
    ----------
    forecast : Forecast
        Of the longer run, as if it were computed anew.
    file : Path
    held, safe, asked : int
        Replicates that are in the file, those beside it if this very extension was begun, and of the longer run.
    seed : int
    """
    heading("Forecast (nothing was written)")
    again = 0 if safe else held % CHUNK_ROWS  # a short last block is computed again, whole, and first
    new = max(0, asked - held + again - safe)
    room = forecast.bytes * (1 + new / asked)
    remark = f", {whole(again)} of them once more" if again else ""
    remark += f"; {whole(safe)} are safe in {parts_path(file)}" if safe else ""
    show(
        pairs(
            {
                "replicates": f"from {whole(held)} to {whole(asked)}: {whole(new)} to compute{remark}",
                "time": duration(new / forecast.rate),
                "rate": _rates(forecast),
                "disk": f"{size(forecast.bytes)} in {file} ({size(file.stat().st_size)} now); {size(room)} more while "
                "it runs, for the finished blocks and the file that is made of them; "
                f"{size(free_bytes(file))} are free",
                "pilot": _pilot(forecast, seed),
            }
        )
    )
    refuse_without_room(file, room)


def _rates(forecast: Forecast) -> str:
    return f"{figure(forecast.rate)} replicates/s, {figure(forecast.agents_rate / 1e6)} million agents/s"


def _pilot(forecast: Forecast, seed: int) -> str:
    return f"{whole(forecast.pilot)} replicates in memory, seed {seed}"
