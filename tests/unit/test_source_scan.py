"""What may not appear in the program's sources: global or sequential generators, pickles, eval, unsafe arithmetic.

Every draw of a run is a pure function of its address; a generator with a state would make results depend on the order
of work. Analyses of finished results may resample with a generator of their own, if it is given a seed.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT

PACKAGES = ("simcore", "analysis", "scenarios")
FORBIDDEN_MODULES = {
    "random": "a generator with a state",
    "numpy.random": "a generator with a state",
    "scipy.stats.qmc": "a sequence with a state",
    "pickle": "unreadable elsewhere and unsafe to load",
    "cPickle": "unreadable elsewhere and unsafe to load",
    "dill": "unreadable elsewhere and unsafe to load",
    "cloudpickle": "unreadable elsewhere and unsafe to load",
    "joblib": "unreadable elsewhere and unsafe to load",
    "marshal": "unreadable elsewhere and unsafe to load",
    "shelve": "unreadable elsewhere and unsafe to load",
}
SEEDED = {"numpy.random.default_rng", "numpy.random.Philox"}
ALLOWED = {
    "simcore/uncertainty/sobol.py": {"scipy.stats.qmc"},  # direction numbers, read from its points by their index
    "analysis/": {*SEEDED, "numpy.random.Generator"},
}
FORBIDDEN_CALLS = {"eval", "exec", "__import__"}
FORBIDDEN_METHODS = {"rvs": "draws from a global generator", "to_pickle": "a pickle", "read_pickle": "a pickle"}


def sources() -> list[Path]:
    return sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


def dotted(node: ast.expr) -> str:
    """Return ``a.b.c`` of an attribute chain, with the customary short names written out; empty if it is none."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return ""
    short = {"np": "numpy", "pd": "pandas", "nb": "numba"}
    return ".".join([short.get(node.id, node.id), *reversed(parts)])


def _is_forbidden(module: str) -> str | None:
    return next(
        (why for name, why in FORBIDDEN_MODULES.items() if module == name or module.startswith(f"{name}.")), None
    )


def allowed(path: str) -> set[str]:
    """Return the names that a file may use although their module is forbidden."""
    return set().union(*(names for place, names in ALLOWED.items() if path.startswith(place)))


def offences(text: str, path: str = "") -> Iterator[str]:
    """Yield what a source may not do, with its line."""
    excepted = allowed(path)
    tree = ast.parse(text)
    parts = {node.value for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    for node in ast.walk(tree):
        line = getattr(node, "lineno", 0)
        match node:
            case ast.Import(names=names):
                for name in names:
                    if why := _is_forbidden(name.name):
                        yield f"{line}: import {name.name}: {why}"
            case ast.ImportFrom(module=str(module), names=names, level=0):
                for name in names:
                    why = _is_forbidden(module) or _is_forbidden(f"{module}.{name.name}")
                    if why and f"{module}.{name.name}" not in excepted:
                        yield f"{line}: from {module} import {name.name}: {why}"
            case ast.Attribute() if node not in parts:  # the whole of a.b.c, not its parts
                if (name := dotted(node)) and name not in excepted and (why := _is_forbidden(name)):
                    yield f"{line}: {name}: {why}"
            case ast.Call(func=ast.Attribute() as function, args=[], keywords=[]) if dotted(function) in SEEDED:
                yield f"{line}: {dotted(function)}() without a seed"
            case ast.Call(func=ast.Name(id=name)) if name in FORBIDDEN_CALLS:
                yield f"{line}: {name}()"
            case ast.Call(func=ast.Attribute(attr=name)) if name in FORBIDDEN_METHODS:
                yield f"{line}: .{name}(): {FORBIDDEN_METHODS[name]}"
        if isinstance(node, ast.Call):
            for keyword in node.keywords:
                safe = isinstance(keyword.value, ast.Constant) and not keyword.value.value
                if keyword.arg == "allow_pickle" and not safe:
                    yield f"{line}: allow_pickle"
                if keyword.arg == "parallel" and not safe:
                    yield f"{line}: parallel: threads belong to the runner"
                if keyword.arg == "fastmath" and not safe:
                    yield f"{line}: fastmath: results would differ between machines"


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_sources_hold_nothing_forbidden(path: Path) -> None:
    assert list(offences(path.read_text(encoding="utf-8"), path.relative_to(ROOT).as_posix())) == []


def test_there_are_sources_to_scan() -> None:
    assert len(sources()) > 60


@pytest.mark.parametrize(
    "text",
    [
        "import random",
        "from random import choice",
        "import numpy as np\nx = np.random.default_rng(1)",
        "import numpy\nnumpy.random.seed(1)",
        "from numpy import random",
        "from numpy.random import default_rng",
        "import numpy.random as r",
        "import pickle",
        "from pickle import loads",
        "eval('1')",
        "exec('1')",
        "import numba\n@numba.njit(fastmath=True)\ndef f(): pass",
        "import numba\n@numba.njit(fastmath={'reassoc'})\ndef f(): pass",
        "import numba\n@numba.njit(parallel=True)\ndef f(): pass",
        "import numpy as np\nnp.load('x', allow_pickle=True)",
        "from scipy import stats\nstats.norm.rvs()",
        "frame.to_pickle('x')",
    ],
)
def test_scan_finds(text: str) -> None:
    assert list(offences(text))


@pytest.mark.parametrize(
    "text",
    [
        "from simcore.engines.random import derive_key",
        "import numpy as np\nnp.load('x', allow_pickle=False)",
        "import numba\n@numba.njit(nogil=True, fastmath=False)\ndef f(): pass",
        "model.evaluate('x')",
    ],
)
def test_scan_lets_pass(text: str) -> None:
    assert list(offences(text)) == []


def test_analyses_may_resample_with_a_seed() -> None:
    seeded = "import numpy as np\nnp.random.default_rng(1)\nnp.random.Generator(np.random.Philox(seed))"
    assert list(offences(seeded, "analysis/x.py")) == []
    assert len(list(offences(seeded, "simcore/x.py"))) == 3
    for text in ("np.random.default_rng()", "np.random.normal()", "np.random.seed(1)"):
        assert len(list(offences(f"import numpy as np\n{text}", "analysis/x.py"))) == 1
    assert list(offences("from scipy.stats import qmc", "simcore/uncertainty/sobol.py")) == []
    assert list(offences("from scipy.stats import qmc", "simcore/uncertainty/design.py"))
