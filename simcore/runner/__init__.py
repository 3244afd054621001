"""Running a model: blocks of replicates, the thread pool that computes them, progress, and the finished file."""

from simcore.runner.progress import Progress
from simcore.runner.run import run
from simcore.runner.session import RunInterrupted

__all__ = ["Progress", "RunInterrupted", "run"]
