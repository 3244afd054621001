"""Running a model: blocks of replicates, the thread pool that computes them, progress,
the finished file, and going on from an unfinished one."""

from simcore.runner.continuing import extend, resume
from simcore.runner.progress import Progress
from simcore.runner.rerunning import Rerun, rerun
from simcore.runner.run import run
from simcore.runner.session import RunInterrupted

__all__ = ["Progress", "Rerun", "RunInterrupted", "extend", "rerun", "resume", "run"]
