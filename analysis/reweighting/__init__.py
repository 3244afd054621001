"""Stored replicates re-weighted to changed priors, without a new run (docs/evolving.md).

| file | idea |
|---|---|
| `priors` | what was asked for -> the changed scenario; whether its priors can be reached from the stored ones |
| `pareto` | how heavy the tail of the weights is: the Pareto shape k-hat |
| `weights` | parameter sets -> weights, effective sample size, refusal below a limit |
| `weighted` | replicates and weights -> the funnel, with errors |
| `rendering` | before and after as tables for a terminal |
| `command_line` | the verb `simcore reweight` |
"""
