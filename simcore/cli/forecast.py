"""`--dry-run`: how long a run would take and how much disk it would fill.

A new run is forecast from a small pilot in memory, a longer one from the file that it begins with.
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
from simcore.store.target import free_bytes, refuse_without_room

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


@dataclass(frozen=True)
class LongerForecast:
    """What a longer run would need, going by the finished one.

    Attributes
    ----------
    held, asked : int
        Replicates that are there, and of the longer run.
    seconds : float
        Of what is new, as fast as the file was made.
    threads : int
        By how many threads that was, the last time; 0 if the file does not say.
    bytes_now, bytes : float
        Of the file and of the longer one.
    room : float
        Bytes that must be free: the shards of what is new, and the longer file beside the present one.
    """

    held: int
    asked: int
    seconds: float
    threads: int
    bytes_now: int
    bytes: float
    room: float


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
                "rate": f"{figure(forecast.rate)} replicates/s, {figure(forecast.agents_rate / 1e6)} million agents/s",
                "disk": f"{size(forecast.bytes)} in {output}; {size(2 * forecast.bytes)} while it runs, with the "
                f"finished blocks that the file is made of; {size(free)} are free",
                "pilot": f"{whole(forecast.pilot)} replicates in memory, seed {seed}",
            }
        )
    )
    if os.path.lexists(output):
        talk(f"warning: {output}: exists; a run would accept it only if it holds this very run")
    refuse_without_room(output, 2 * forecast.bytes)


def forecast_longer(results: Results, size_now: int, asked: int) -> LongerForecast:
    """Extrapolate from a finished file.

    Parameters
    ----------
    results : Results
    size_now : int
        Of the file [bytes].
    asked : int
        Replicates of the longer run, not fewer than there are.
    """
    held = results.replicates
    more = asked - held
    per_row = sum(dataset.stored for dataset in stored_datasets(results) if dataset.grows) / held
    longer = size_now + per_row * more
    seconds = float(results.attributes["wall_seconds"]) * more / held
    threads = int(results.attributes.get("threads", 0))
    return LongerForecast(held, asked, seconds, threads, size_now, longer, longer + per_row * more)


def show_longer_forecast(forecast: LongerForecast, file: Path) -> None:
    """Print what a longer run would need; ResultsError if the disk has not the room for it."""
    heading("Forecast (nothing was written)")
    if forecast.asked == forecast.held:
        show(pairs({"replicates": f"{whole(forecast.held)} are there already, nothing to compute"}))
        return
    by = {0: "", 1: " (one thread)"}.get(forecast.threads, f" ({whole(forecast.threads)} threads)")
    now, then, room, free = (size(n) for n in (forecast.bytes_now, forecast.bytes, forecast.room, free_bytes(file)))
    show(
        pairs(
            {
                "replicates": f"from {whole(forecast.held)} to {whole(forecast.asked)}",
                "time": f"{duration(forecast.seconds)}, as fast as the file was made{by}",
                "disk": f"{then} in {file} ({now} now); {room} more while it runs, for the finished blocks and the "
                f"file that is made of them; {free} are free",
            }
        )
    )
    refuse_without_room(file, forecast.room)
