"""Missing covariates: proper multiple imputation, its check by masking, and Rubin's rules (docs/covariates.md).

* `rows`: observed values -> country-years with lagged values. `chained`: rows -> M completed panels.
* `masking`: known cells hidden, imputed and compared. `pooling`: Rubin's rules.
* `report`: what was imputed, in figures. `command_line`: the verb `simcore impute`.

Panels are made once and stored with the scenario; a simulation takes one of them per parameter set and pools nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from analysis.imputation.chained import Imputation, impute_panels
    from analysis.imputation.masking import HiddenCell, hide_and_impute
    from analysis.imputation.pooling import Pooled, rubin

__all__ = ["HiddenCell", "Imputation", "Pooled", "hide_and_impute", "impute_panels", "rubin"]

_HOMES = {
    "HiddenCell": "masking",
    "Imputation": "chained",
    "Pooled": "pooling",
    "hide_and_impute": "masking",
    "impute_panels": "chained",
    "rubin": "pooling",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:  # scikit-learn is imported when something is imputed, not before
        return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
