"""A second, plain-Python program for the same law and the same addresses as the compiled engines.

It was written from the documented rules, works on names, dicts and Python numbers (no numpy), and reads the scenario,
not the compiled arrays. Tests demand that its counts and parameters equal those of `simcore.run` exactly, so it follows
the documented order of floating-point operations.

`philox` random numbers, `sampling` counts, `parameters` theta, `source` persons to destinations, `transit` legs and
fates, `walks` the two walkers, `cohort` crowds that move as counts, `simulation` all of it in one loop over replicates.
"""
