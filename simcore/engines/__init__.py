"""Engines: from flat arrays and addressed random numbers to counts, or to the exact moments of those counts.

`random` is the generator and the address map, `keys` the keys of every stream, `sampling` exact binomial draws. A
replicate is drawn by `agent`: `source_draws` makes risk classes, victims and destinations of each cell (docs/model.md
A2, B1, C1), then every bound victim is walked to an outcome (C2-C5) by one of two walkers of the same law, `collapsed`
(one word per attempt, the default) or `leg_by_leg`. Both fill the arrays of `counts`. `expected` simulates nobody: it
computes means and covariances of the same counts, and what journeys collect (E1-E4).

Kernels are pure, serial and release the interpreter lock; the runner owns threads. Nothing is checked here: arrays come
from `simcore.model`, which trusts a validated scenario.
"""
