"""What is not known: distributions, their quantile functions, and the theta matrix that they make.

Every epistemic scalar is the inverse distribution function of one uniform (docs/model.md D1), so that any design of
uniforms drives the same code. `design` says which row of a run takes which parameter set, `parameters` lays the
referenced parameters of a scenario out as columns of theta, `quantiles` turns each declared distribution into flat
arrays, `draws` holds the kernels that fill theta column by column.
"""

from simcore.uncertainty.parameters import ParameterSpace

__all__ = ["ParameterSpace"]
