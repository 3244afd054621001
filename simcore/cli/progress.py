"""The progress of a run on a terminal: a bar with replicates and agents per second and the time left."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import TYPE_CHECKING, Self

from simcore.cli.figures import figure

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import TaskID

    from simcore.runner import Progress


class ProgressBar:
    """A bar on stderr; does nothing unless stderr is a terminal and the bar is wanted."""

    def __init__(self, replicates: int, *, wanted: bool = True) -> None:
        self._bar: Bar | None = None
        if not wanted or not sys.stderr.isatty():
            return
        from rich.console import Console
        from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar

        self._bar = Bar(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[rates]}", markup=False),  # may name a quantity, such as reached[HUB]
            TimeRemainingColumn(),
            TextColumn("left"),
            console=Console(stderr=True),
            transient=True,
        )
        self._task: TaskID = self._bar.add_task("replicates", total=replicates, rates="starting")

    def __enter__(self) -> Self:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def update(self, progress: Progress) -> None:
        """Show how far the run is."""
        if self._bar is None or progress.seconds <= 0:
            return
        # The speed of the last seconds: compiling and the first pages would distort the one since the start.
        computed = progress.replicates_done - progress.replicates_stored
        speed = self._bar.tasks[0].speed or computed / progress.seconds
        agents = progress.agents / max(1, progress.replicates_done) * speed
        rates = [f"{figure(speed)} replicates/s, {figure(agents / 1e6)} million agents/s"] if computed else []
        if progress.standing:
            rates.append(progress.standing)
        self._bar.update(self._task, completed=progress.replicates_done, rates=", ".join(rates))
