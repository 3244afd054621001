"""Reading dieharder's report: repetitions with more p-samples replace weak verdicts, nothing hides a failure."""

from __future__ import annotations

from tests.verification.dieharder import summarize

HEAD = """# dieharder -a -g 200 -Y 1 -k 2  <  agents, seed 1
        test_name   |ntup| tsamples |psamples|  p-value |Assessment
#=============================================================================#
"""


def row(name: str, ntuple: int, samples: int, verdict: str) -> str:
    return f"{name:>20}|{ntuple:4}|    100000|{samples:8}|0.84448729|{verdict:^10}\n"


def test_every_row_is_a_statistic() -> None:
    report = HEAD + row("sts_serial", 3, 100, "PASSED") * 2 + row("sts_serial", 4, 100, "PASSED")
    summary = summarize(report)
    assert dict(summary.first) == dict(summary.final) == {"PASSED": 3}


def test_repetition_settles_a_weak_result_either_way() -> None:
    first = row("sts_serial", 3, 100, "WEAK") + row("sts_serial", 3, 100, "WEAK")
    again = row("sts_serial", 3, 200, "PASSED") + row("sts_serial", 3, 200, "FAILED")
    summary = summarize(HEAD + first + again)
    assert dict(summary.first) == {"WEAK": 2}
    assert dict(summary.final) == {"PASSED": 1, "FAILED": 1}


def test_two_runs_of_a_test_are_kept_apart_and_unreliable_tests_left_out() -> None:
    report = HEAD + row("rgb_lagged_sum", 1, 100, "PASSED") + row("rgb_lagged_sum", 2, 100, "FAILED")
    summary = summarize(report + row("diehard_sums", 0, 100, "FAILED"))
    assert dict(summary.final) == {"PASSED": 1, "FAILED": 1}


def test_empty_report_holds_nothing() -> None:
    assert not summarize(HEAD + "Error: something\n").final
