"""The expected engine: exact means, variances and covariances of every stored count given theta (docs/model.md E1, E2).

Every stored count is a sum over the N iid persons of a cell of a vector X, so its moments are N E[X] and
N (E[X X'] - E[X] E[X]'), and cells are independent given theta and the shared effects.

| file | idea |
|---|---|
| `legs` | leg probabilities of many parameter sets side by side |
| `journeys` | the vector of one bound person of a class of strata, its means |
| `products` | its second moments |
| `cells` | sums over cells that share destinations and journeys |
| `covariances` | from those to all counts |
| `rows` | blocks of parameter sets through all of it |

Parameter sets are computed `LANES` at a time, one per lane of the last axis of every array, so that the processor
computes several at once; results do not depend on which sets share a block.
"""

from simcore.engines.expected.rows import LANES, Workspace, expected_rows, make_workspace

__all__ = ["LANES", "Workspace", "expected_rows", "make_workspace"]
