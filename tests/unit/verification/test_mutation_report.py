"""The mutation check's own bookkeeping: what is mutated, which mutants are chosen, what counts as killed."""

from __future__ import annotations

from pathlib import Path

from tests.conftest import ROOT
from tests.mutation.__main__ import DECORATOR, VERDICTS, chosen_mutants, make_copy, module_of, table

NAMES = [f"simcore.engines.sampling.x_binomial__mutmut_{i}" for i in range(1, 41)]
NAMES += ["simcore.transit_zone.compile.xǁ_Rowsǁadd__mutmut_1", "simcore.engines.sampling_two.x_f__mutmut_1"]


def test_copy_has_no_compiled_function_and_is_otherwise_the_same(tmp_path: Path) -> None:
    make_copy(tmp_path)
    removed = 0
    for path in (ROOT / "simcore").rglob("*.py"):
        original, copy = path.read_text(), (tmp_path / path.relative_to(ROOT)).read_text()
        gone = set(original.splitlines()) - set(copy.splitlines())
        assert gone <= {"@kernel", "@bare_kernel", "@inner_kernel"}
        removed += len(DECORATOR.findall(original))
        assert not DECORATOR.search(copy)
    assert removed > 30
    assert (tmp_path / "pyproject.toml").exists()


def test_targets_are_files_or_names() -> None:
    assert chosen_mutants(NAMES, [], None) == sorted(NAMES)
    assert chosen_mutants(NAMES, ["simcore/engines/sampling.py"], None) == sorted(NAMES[:40])
    assert chosen_mutants(NAMES, ["simcore/transit_zone/compile.py"], None) == [NAMES[40]]
    assert chosen_mutants(NAMES, ["*.x_f__*", NAMES[0]], None) == sorted([NAMES[0], NAMES[41]])
    assert chosen_mutants(NAMES, ["simcore/engines/random.py"], None) == []


def test_samples_are_the_same_every_time() -> None:
    sample = chosen_mutants(NAMES, [], 10)
    assert len(set(sample)) == 10
    assert sample == chosen_mutants(list(reversed(NAMES)), [], 10)
    assert chosen_mutants(NAMES, [], 100) == sorted(NAMES)


def test_table_counts_timeouts_as_killed_and_nothing_else() -> None:
    codes = {NAMES[0]: 1, NAMES[1]: 0, NAMES[2]: -24, NAMES[3]: 33, NAMES[40]: 3}
    verdicts = {name: VERDICTS.get(code, "killed") for name, code in codes.items()}
    header, first, second, whole = table(verdicts)
    assert header.split() == ["file", "mutants", "killed", "timeout", "survived", "no", "test", "share"]
    assert first.split() == ["simcore/engines/sampling.py", "4", "1", "1", "1", "1", "50.0", "%"]
    assert second.split() == ["simcore/transit_zone/compile.py", "1", "1", "0", "0", "0", "100.0", "%"]
    assert whole.split() == ["all", "5", "2", "1", "1", "1", "60.0", "%"]


def test_files_are_read_from_names() -> None:
    assert module_of(NAMES[0]) == "simcore/engines/sampling.py"
    assert module_of(NAMES[40]) == "simcore/transit_zone/compile.py"
    assert VERDICTS[None] == "not run"
