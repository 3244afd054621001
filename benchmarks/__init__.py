"""Benchmarks: the agent engine and its peers on the same scenario and the same work, side by side in one run.

`python -m benchmarks` (or `make bench`) checks every contender against the exact moments, times those that are right,
and writes a table, a JSON file and a plot; README.md says how to read them. A *contender* is a function that simulates
so many replicates and returns the stored counts. `work` holds what all contenders are given, `agent_engine` calls
simcore, the modules ``numpy_*`` and `plain_python` are its peers, `correctness` compares with `simcore.expected`,
`timing` alternates and times, `cases` says what is run, `report` and `figure` show the result.
"""

import os

# One thread for everybody: NumPy's matrix product would otherwise start as many as there are cores.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
