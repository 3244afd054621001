"""The progress of a run: on a terminal a bar with replicates and agents per second and the time left, else a line now
and then, so that the log of a night's run tells how far it is.
"""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

from simcore.cli.figures import duration, figure, percent, whole
from simcore.cli.terminal import talk

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import TaskID

    from simcore.runner import Progress


LINE_SECONDS = 60.0
"""Between two lines, where stderr is no terminal."""


class ProgressBar:
    """A bar on stderr, or lines there if it is no terminal; nothing unless wanted."""

    def __init__(self, replicates: int, *, wanted: bool = True) -> None:
        self._bar: Bar | None = None
        self._wanted = wanted
        self._last_line = time.monotonic()
        self._rows_then: int | None = None
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
        if not self._wanted or progress.seconds <= 0:
            return
        if self._bar is None:
            self._tell(progress)
            return
        # The speed of the last seconds: compiling and the first pages would distort the one since the start.
        computed = progress.replicates_done - progress.replicates_stored
        speed = self._bar.tasks[0].speed or computed / progress.seconds
        agents = progress.agents / max(1, progress.replicates_done) * speed
        rates = [f"{figure(speed)} replicates/s, {figure(agents / 1e6)} million agents/s"] if computed else []
        if progress.standing:
            rates.append(progress.standing)
        self._bar.update(self._task, completed=progress.replicates_done, rates=", ".join(rates))

    def _tell(self, progress: Progress) -> None:
        """Print a line if the last one is long ago; the speed is that since then, so that compiling is not in it."""
        now = time.monotonic()
        computed = progress.replicates_done - progress.replicates_stored
        if self._rows_then is None and computed:
            self._rows_then, self._last_line = computed, now
        since = now - self._last_line
        if since < LINE_SECONDS or self._rows_then is None:
            return
        rate = (computed - self._rows_then) / since
        left = progress.replicates - progress.replicates_done
        share = percent(progress.replicates_done / progress.replicates)
        words = f"{whole(progress.replicates_done)} of {whole(progress.replicates)} replicates ({share})"
        if rate > 0:
            words += f", {whole(round(rate))}/s, {duration(left / rate)} left"
        talk(f"{words}; {progress.standing}" if progress.standing else words)
        self._rows_then, self._last_line = computed, now
