"""Transit zone: the journey from a victim's entry point to an absorbing outcome (docs/model.md C).

`compile` lays a scenario's journey graph out as flat arrays (`TransitPlan`): journey classes of strata that share every
parameter, the routes and fates of an attempt from each start point, and the expanded states of a whole journey;
`chains` is the journey of the exact moments, `rewards` what it collects.
`legs` turns theta into leg probabilities, branch shares and re-attempt probabilities; `fates` turns those into the
inverse-CDF tables that the walkers read.
"""
