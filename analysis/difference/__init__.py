"""What changed between two scenarios, and which change moves the results by how much (docs/evolving.md).

| file | idea |
|---|---|
| `changes` | two scenarios in their normal form -> the list of changes |
| `population` | how far apart two populations are |
| `hybrids` | changes -> items; the first scenario with some items of the second put in |
| `outputs` | a scenario -> exact means of what is compared, one per parameter set |
| `attribution` | the change of the outputs, shared out over the items by Shapley values |
| `rendering`, `figure` | tables for a terminal, a waterfall |
| `command_line` | the verb `simcore diff` |
"""
