"""How a block is cut into the tasks of the pool."""

from __future__ import annotations

import itertools

import pytest

from simcore.model import CompiledModel
from simcore.runner.blocks import BLOCK_ROWS, NOTHING, SLICE_ROWS, SliceReport, Work, new_block, slices
from simcore.runner.choice import walked
from simcore.runner.slots import make_slots
from simcore.uncertainty.design import Design


@pytest.mark.parametrize("workers", [1, 2, 64])
@pytest.mark.parametrize("replicates", [1, 2, 7, 1000, BLOCK_ROWS])
def test_slices_are_the_block_in_order_and_keep_all_workers_busy(
    replicates: int, workers: int, tiny_model: CompiledModel
) -> None:
    work = Work(tiny_model, tiny_model.streams(1), make_slots(tiny_model), Design(replicates), walked(tiny_model))
    cut = slices(new_block(work, 0, keep_theta=False), workers)
    assert [row for first, stop in cut for row in range(first, stop)] == list(range(replicates))
    assert all(one[1] == other[0] for one, other in itertools.pairwise(cut))
    assert max(stop - first for first, stop in cut) <= SLICE_ROWS
    assert len(cut) >= min(replicates, 2 * workers)


def test_reports_add_up() -> None:
    assert NOTHING + SliceReport(1, 2, 3) + SliceReport(10, 20, 30) == SliceReport(11, 22, 33)
