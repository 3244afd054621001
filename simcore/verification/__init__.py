"""`simcore verify`: the program against known answers that were worked out without it.

`known_answers` holds them as data, `closed_form` compares what is computed exactly, `sampled` what is simulated.
"""

from __future__ import annotations

from collections.abc import Callable

from simcore.verification.check import Check

__all__ = ["Check", "run_checks"]


def run_checks(*, long: bool = False, progress: Callable[[Check], None] | None = None) -> list[Check]:
    """Run all comparisons and return them.

    Parameters
    ----------
    long : bool
        Simulate 32 times as many replicates.
    progress : callable, optional
        Called with every finished check.
    """
    from simcore.verification.closed_form import closed_form_checks
    from simcore.verification.sampled import simulated_checks

    checks: list[Check] = []
    for group in (closed_form_checks(), simulated_checks(long=long)):
        for check in group:
            checks.append(check)
            if progress is not None:
                progress(check)
    return checks
