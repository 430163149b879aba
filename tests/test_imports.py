"""Who may import whom: every import of every package, read from the source, against the table below.

The bidder and the audience platform must not be able to read the truth, so it cannot be reached by any import.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
OURS = {"openrtb", "dmp", "bidder", "exchange_sim", "experiments", "tests", "benchmarks"}

ALLOWED: dict[str, set[str] | None] = {
    "openrtb": {"openrtb", "msgspec", "pydantic"},
    "dmp": {"dmp", "numpy", "numba", "pyarrow", "pydantic", "pydantic_core", "msgspec", "yaml", "pyroaring"},
    "bidder/core": {"bidder.core", "numpy", "numba", "llvmlite"},
    "bidder": {"bidder", "dmp", "openrtb", "numpy", "numba", "msgspec"},
    "bidder/server": {
        "bidder",
        "dmp",
        "openrtb",
        "numpy",
        "numba",
        "msgspec",
        "aiohttp",
        "prometheus_client",
        "uvloop",
    },
    "exchange_sim": {"exchange_sim", "openrtb", "simpy", "numpy", "numba", "llvmlite", "msgspec"},
    "exchange_sim/server": {"exchange_sim", "openrtb", "msgspec", "aiohttp", "yarl"},
    "experiments": None,
}
"""Prefixes of modules each folder may import besides the standard library; the deepest folder's entry counts. None:
anything but tests and benchmarks."""

FOLDERS_OF_TRUTH = {"exchange_sim", "experiments"}


def modules() -> list[Path]:
    """Every source file of the packages, relative to the root."""
    names = [name for name in ALLOWED if "/" not in name]
    return sorted(path.relative_to(ROOT) for name in names for path in (ROOT / name).rglob("*.py"))


def imports(path: Path, source: str) -> Iterator[tuple[int, str]]:
    """(line, module) of every import in *source*, relative and deferred ones and `import_module("...")` too."""
    package = path.with_suffix("").parts[:-1]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            module = ".".join(part for part in (base, node.module) if part)
            # `from a import b` may mean the module a.b: what is allowed must hold for both
            yield from ((node.lineno, f"{module}.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if called in ("import_module", "__import__") and isinstance(node.args[0].value, str):
                yield node.lineno, node.args[0].value


def wrong_imports(path: Path, source: str) -> list[str]:
    """What *path* (relative to the root) imports and must not."""
    folder = max((name for name in ALLOWED if path.is_relative_to(name)), key=len)
    allowed = ALLOWED[folder]
    return [f"{path}:{line}: {name}" for line, name in imports(path, source) if not _may(allowed, name)]


def _may(allowed: set[str] | None, name: str) -> bool:
    top = name.split(".")[0]
    if top in sys.stdlib_module_names:
        return True
    if allowed is None:
        return top not in ("tests", "benchmarks")
    return any(name == prefix or name.startswith(f"{prefix}.") for prefix in allowed)


@pytest.mark.parametrize("path", modules(), ids=str)
def test_imports_go_the_right_way(path: Path) -> None:
    assert wrong_imports(path, (ROOT / path).read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("bidder/core/caps.py", "from bidder.plan import CapPlan"),
        ("bidder/core/caps.py", "from .. import plan"),
        ("bidder/core/caps.py", "import simpy"),
        ("bidder/room.py", "import exchange_sim.world"),
        ("bidder/room.py", "def f():\n    from experiments import setting"),
        ("bidder/room.py", "import importlib\nimportlib.import_module('exchange_sim.world')"),
        ("bidder/room.py", "import aiohttp"),
        ("bidder/server/app.py", "from exchange_sim import world"),
        ("dmp/snapshot.py", "from bidder.core import book"),
        ("exchange_sim/world.py", "import bidder"),
        ("exchange_sim/world.py", "from dmp import snapshot"),
        ("openrtb/money.py", "import numpy"),
        ("experiments/run.py", "from tests.oracles import market"),
    ],
)
def test_wrong_ways_are_seen(path: str, source: str) -> None:
    assert len(wrong_imports(Path(path), source)) == 1


def test_right_ways_are_not_refused() -> None:
    assert wrong_imports(Path("bidder/core/caps.py"), "import math\nimport numpy as np\nfrom . import book") == []
    assert wrong_imports(Path("bidder/room.py"), "from bidder.core import book\nfrom openrtb import money") == []
    assert wrong_imports(Path("experiments/run.py"), "import bidder, exchange_sim, dmp, matplotlib") == []


def test_only_experiments_joins_the_bidder_and_the_market() -> None:
    """No other package may import both sides, even if the table above were loosened."""
    for name, allowed in ALLOWED.items():
        if name != "experiments":
            assert allowed is not None
            assert not ("exchange_sim" in allowed and {"bidder", "dmp", "bidder.core"} & allowed)
            assert name.split("/")[0] == "exchange_sim" or not FOLDERS_OF_TRUTH & allowed


def test_every_package_is_covered() -> None:
    found = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests", "benchmarks"}
    assert found <= {name for name in ALLOWED if "/" not in name}
    assert found >= {"openrtb", "dmp", "bidder", "exchange_sim", "experiments"}


def check_circles(sources: dict[Path, str]) -> None:
    """Raises CycleError where files import one another in a circle, deferred imports and those for types included."""
    files = {".".join(path.with_suffix("").parts).removesuffix(".__init__"): path for path in sources}
    below: TopologicalSorter[Path] = TopologicalSorter()
    for path, source in sources.items():
        for _, name in imports(path, source):
            found = files.get(name) or files.get(name.rpartition(".")[0])
            if found is not None and found != path:
                below.add(path, found)
    below.prepare()


def test_no_circles() -> None:
    check_circles({path: (ROOT / path).read_text(encoding="utf-8") for path in modules()})


def test_circles_are_seen() -> None:
    one, two, package = Path("bidder/one.py"), Path("bidder/two.py"), Path("bidder/__init__.py")
    sources = {one: "import math", two: "from bidder.one import f", package: ""}
    check_circles(sources)
    with pytest.raises(CycleError, match=r"one\.py"):
        check_circles({**sources, one: "def f():\n    from bidder import two"})
