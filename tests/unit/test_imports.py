"""The direction of imports, and the cache of compiled kernels that must notice every change of their sources."""

from __future__ import annotations

import ast
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from tests.conftest import ROOT

KERNEL_PLANS = {
    "simcore.source_zone.plan",
    "simcore.transit_zone.plan",
    "simcore.transit_zone.legs",
    "simcore.transit_zone.fates",
    "simcore.transit_zone.chains",
}
ABOVE_THE_ZONES = {
    "simcore.engines",
    "simcore.store",
    "simcore.runner",
    "simcore.cli",
    "simcore.model",
    "simcore.moments",
    "simcore.rewards",
}


def modules(*folders: str) -> list[tuple[str, Path]]:
    """Return (dotted name, file) of every module in the given packages."""
    found = []
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            found.append((".".join(parts[:-1] if parts[-1] == "__init__" else parts), path))
    return found


def imported(name: str, text: str, *, is_package: bool = False, typing_too: bool = True) -> Iterator[str]:
    """Yield every module that a source imports, at any depth; ``a.b`` for ``from a import b`` as well as ``a``."""
    tree = ast.parse(text)
    skipped: set[ast.AST] = set()
    if not typing_too:
        for node in ast.walk(tree):
            if isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
                for statement in node.body:
                    skipped.update(ast.walk(statement))
    for node in ast.walk(tree):
        if node in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            if node.level:
                parts = name.split(".")
                base = parts[: len(parts) - node.level + is_package]
                module = ".".join([*base, *([module] if module else [])])
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)


def imports_of(*folders: str, typing_too: bool = True) -> Iterator[tuple[str, str]]:
    """Yield (module, imported module) of all sources in the packages."""
    for name, path in modules(*folders):
        text = path.read_text(encoding="utf-8")
        for target in imported(name, text, is_package=path.name == "__init__.py", typing_too=typing_too):
            yield name, target


def within(target: str, packages: set[str]) -> bool:
    return any(target == package or target.startswith(f"{package}.") for package in packages)


def offending(pairs: Iterator[tuple[str, str]], forbidden: set[str]) -> list[tuple[str, str]]:
    return [(name, target) for name, target in pairs if within(target, forbidden)]


def test_engine_imports_neither_scenarios_nor_analysis() -> None:
    assert offending(imports_of("simcore"), {"scenarios", "analysis", "tests", "benchmarks"}) == []


def test_scenarios_are_data() -> None:
    assert list(imports_of("scenarios")) == []


def test_kernels_know_numpy_numba_and_plans_only() -> None:
    allowed = {"__future__", "collections", "typing", "math", "hashlib", "numpy", "numba"}
    allowed |= {"simcore.compilation", "simcore.errors", "simcore.engines"} | KERNEL_PLANS
    outside = [(name, target) for name, target in imports_of("simcore/engines") if not within(target, allowed)]
    assert [pair for pair in outside if pair[1] not in ("simcore", "simcore.source_zone", "simcore.transit_zone")] == []


def test_zones_know_nothing_of_what_uses_them() -> None:
    assert offending(imports_of("simcore/source_zone", "simcore/transit_zone"), ABOVE_THE_ZONES) == []
    assert offending(imports_of("simcore/source_zone"), {"simcore.transit_zone"}) == []
    assert offending(imports_of("simcore/transit_zone"), {"simcore.source_zone"}) == []


def test_uncertainty_knows_the_generator_and_no_more_of_the_engines() -> None:
    above = ABOVE_THE_ZONES | {"simcore.source_zone", "simcore.transit_zone"}
    found = offending(imports_of("simcore/uncertainty"), above)
    assert [pair for pair in found if not within(pair[1], {"simcore.engines.random"})] == []


def test_scenario_knows_no_numerical_room() -> None:
    numerical = ABOVE_THE_ZONES | {"simcore.source_zone", "simcore.transit_zone", "simcore.uncertainty"}
    assert offending(imports_of("simcore/scenario"), numerical | {"numba"}) == []


def test_store_knows_arrays_and_the_format() -> None:
    allowed = {"simcore.store", "simcore.errors"}
    inside = [(name, target) for name, target in imports_of("simcore/store") if within(target, {"simcore"})]
    assert inside
    assert [pair for pair in inside if pair[1] != "simcore" and not within(pair[1], allowed)] == []


def test_runner_and_model_know_no_command_line() -> None:
    assert offending(imports_of("simcore/runner"), {"simcore.cli", "typer", "rich"}) == []
    for name, target in imports_of("simcore"):
        if not within(name, {"simcore.cli"}):
            assert not within(target, {"simcore.cli", "typer"}), name


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("from analysis import summary", "analysis.summary"),
        ("def f():\n    import scenarios.data", "scenarios.data"),
        ("from .. import store", "simcore.store"),
        ("from . import replicates", "simcore.engines.replicates"),
        ("from ..store.reader import Results", "simcore.store.reader"),
        ("if TYPE_CHECKING:\n    from simcore.runner import run", "simcore.runner"),
    ],
)
def test_scan_finds(text: str, found: str) -> None:
    assert found in set(imported("simcore.engines.replicates", text))


def loaded_by(module: str) -> set[str]:
    """Return the modules that a fresh interpreter holds after importing ``module``."""
    script = f"import sys, {module}; print(*sys.modules)"
    finished = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT, timeout=120
    )
    return set(finished.stdout.split())


def test_heavy_imports_are_lazy() -> None:
    """`import simcore` and the command line's own import must cost next to nothing."""
    heavy = {"numpy", "numba", "scipy", "pandas", "h5py", "pydantic", "matplotlib"}
    assert not loaded_by("simcore") & heavy
    assert not loaded_by("simcore.cli") & heavy


def test_rooms_do_not_load_each_other() -> None:
    """Transitively, at run time."""
    store = loaded_by("simcore.store")
    assert not {
        name for name in store if within(name, ABOVE_THE_ZONES - {"simcore.store"} | {"simcore.scenario", "numba"})
    }
    engine = loaded_by("simcore.engines.replicates")
    assert not {
        name for name in engine if within(name, {"simcore.scenario", "simcore.store", "pydantic", "h5py", "pandas"})
    }


# -- the cache of compiled kernels -----------------------------------------------------------------------------------


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A copy of the engine's sources that may be changed."""
    return Path(shutil.copytree(ROOT / "simcore", tmp_path / "simcore", ignore=shutil.ignore_patterns("__pycache__")))


def digest_of(package: Path) -> str:
    spec = importlib.util.spec_from_file_location("copied_compilation", package / "compilation.py")
    assert spec is not None
    assert spec.loader is not None
    module: ModuleType = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return str(module.source_digest())


def kernel_sources() -> list[Path]:
    """Every file that holds a kernel, found by its decorator."""
    files = [path for _, path in modules("simcore") if "kernel\n" in path.read_text() and path.name != "compilation.py"]
    return [path.relative_to(ROOT / "simcore") for path in files]


def test_digest_is_of_the_sources_alone(package: Path) -> None:
    from simcore.compilation import source_digest

    assert digest_of(package) == digest_of(package) == source_digest()
    (package / "cli" / "new.py").write_text("x = 1\n")
    assert digest_of(package) == source_digest(), "what holds no kernel may change freely"


def test_digest_changes_with_every_kernel_source(package: Path) -> None:
    sources = kernel_sources()
    assert len(sources) > 10
    seen = {digest_of(package)}
    for source in [Path("compilation.py"), *sources]:
        path = package / source
        path.write_text(path.read_text() + "\n# changed\n")
        seen.add(digest_of(package))
    assert len(seen) == len(sources) + 2, "a kernel source is not in the digest"
    path = package / "engines" / "sampling.py"
    path.rename(path.with_name("drawing.py"))
    assert digest_of(package) not in seen


def test_change_in_an_inlined_function_of_another_file_is_not_answered_from_the_cache(package: Path) -> None:
    """The stale answer that numba's own cache would give: `binomial` is cached, `philox4x32` in its file changes."""
    script = (
        "import numpy as np\n"
        "from simcore.engines.sampling import binomial\n"
        "u = np.uint32\n"
        "print([binomial(50, 0.3, u(i), u(0), u(0), np.uint64(9)) for i in range(12)])\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(package.parent), "NUMBA_CACHE_DIR": str(package.parent / "cache")}

    def answer() -> str:
        finished = subprocess.run(
            [sys.executable, "-c", script], env=environment, cwd=package.parent, capture_output=True, text=True,
            check=True, timeout=120,
        )  # fmt: skip
        return finished.stdout

    first = answer()
    assert answer() == first
    assert len(list((package.parent / "cache").iterdir())) == 1, "the second run had a folder of its own"
    path = package / "engines" / "random.py"
    text = path.read_text()
    assert text.count("0xD2511F53") == 1
    path.write_text(text.replace("0xD2511F53", "0xD2511F55"))
    assert answer() != first
    path.write_text(text)
    assert answer() == first
    assert len(list((package.parent / "cache").iterdir())) == 2
