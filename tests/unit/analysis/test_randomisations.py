"""`design_error`: the error of a design's mean from its randomisations."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import analysis
import simcore
from analysis.randomisations import combine
from simcore.errors import UserError
from simcore.model import CompiledModel
from simcore.moments import Moments


def outcomes(moments: Moments) -> Any:
    return np.log10(moments.mean_of(moments.weights("outcome"))[:, 0])


def test_combine_is_the_mean_and_its_standard_error() -> None:
    found = combine(np.array([[1.0, 5.0], [2.0, 5.0], [6.0, 5.0]]), "lhs", 4)
    assert found.mean.tolist() == [3.0, 5.0]
    assert found.standard_error_of_one == pytest.approx([math.sqrt(7.0), 0.0])
    assert found.standard_error == pytest.approx([math.sqrt(7.0 / 3.0), 0.0])


@pytest.mark.parametrize("design", ["sobol", "lhs"])
def test_error_is_that_of_the_randomisations_named(design: str, maze_model: CompiledModel) -> None:
    found = analysis.design_error(maze_model, outcomes, draws=32, design=design, randomisations=range(3, 12), seed=5)
    means = [
        float(np.mean(outcomes(simcore.expected(maze_model, draws=32, seed=5, design=design, randomisation=number))))
        for number in range(3, 12)
    ]
    assert found.means == pytest.approx(means, rel=1e-12)
    assert found.mean == pytest.approx(np.mean(means), rel=1e-12)
    assert found.standard_error == pytest.approx(np.std(means, ddof=1) / 3.0, rel=1e-9)
    assert len(set(found.means.tolist())) == 9


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"randomisations": 7}, "randomisations = 7: at least 8 are needed"),
        ({"randomisations": [1, 2, 3, 4, 5, 6, 7, 7]}, "one is named twice"),
        ({"design": "random"}, "its draws are independent"),
    ],
)
def test_too_little_to_go_by_is_refused(options: dict[str, Any], words: str, maze_model: CompiledModel) -> None:
    with pytest.raises(UserError, match=words):
        analysis.design_error(maze_model, outcomes, draws=4, **options)
