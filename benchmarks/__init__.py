"""Benchmarks: simcore's engines and their peers on the same scenario and the same work, side by side in one run.

`simcore bench` (or `make bench`) checks every contender against the exact moments, times those that are right, and
leaves tables, a JSON file and figures; README.md says how to read them. A *contender* is a function that simulates so
many replicates and returns the stored counts.

* `work` holds what all contenders are given, `cases` says what is run, `contenders` who takes part.
* `simcore_engines` is the one module that calls simcore's kernels; ``numpy_*``, `c_program` (with the folder ``c``),
  `plain_python`, `mesa_agents` and `starsim_agents` are the peers.
* `correctness` compares with `simcore.expected`, `timing` alternates and times, `comparison` puts a case together.
* `expected_timing`, `store_speed`, `start_up`, `curves` and `machine` measure the rest.
* `chunk_shapes` and `chunk_filters` measure the chunks of the results file (``python -m benchmarks.chunk_shapes``).
* `program` runs a plan and makes the report, `report` and `figure` show it, `command_line` is the verb.
"""

import os

# One thread for everybody: NumPy's matrix product would otherwise start as many as there are cores.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
