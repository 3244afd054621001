"""Checks of known answers: what passes, what fails, and that they can be written as JSON."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from simcore.verification.check import Z_LIMIT, Check, by_z, exactly, within


@pytest.mark.parametrize(
    ("check", "passed"),
    [
        (exactly("bits", "ab", "ab", ""), True),
        (exactly("bits", "ab", "ac", ""), False),
        (within("value", 1.0, np.float64(1.5), 0.5, ""), True),
        (within("value", 1.0, np.float64(1.6), 0.5, ""), False),
        (within("value", 1.0, np.float64(np.nan), 0.5, ""), False),
        (by_z("mean", 1.0, np.float64(1.0 + 0.99 * Z_LIMIT), np.float64(1.0), ""), True),
        (by_z("mean", 1.0, np.float64(1.0 - 1.01 * Z_LIMIT), np.float64(1.0), ""), False),
        (by_z("mean", 1.0, np.float64(np.nan), np.float64(1.0), ""), False),
        (by_z("without spread", 1.0, np.float64(1.0), np.float64(0.0), ""), True),
        (by_z("without spread", 1.0, np.float64(2.0), np.float64(0.0), ""), False),
    ],
)
def test_the_verdict_is_a_plain_bool(check: Check, passed: bool) -> None:
    """NumPy's bool is none that JSON knows; `simcore verify --json` writes the verdict as it is."""
    assert json.loads(json.dumps(check.passed)) is passed


def test_no_spread_and_another_value_has_an_infinite_score() -> None:
    assert by_z("mean", 1.0, 2.0, 0.0, "").z == math.inf
