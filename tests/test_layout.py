"""House rules that can be read off the files: docstrings, names, lengths; no word of the machine or of registries."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("openrtb", "dmp", "bidder", "exchange_sim", "experiments")
LONGEST = 400
VAGUE = {"utils", "util", "manager", "managers", "misc", "helpers", "helper", "common"}

# Put together from pieces, so that this file does not hold them itself.
REGISTRIES = (
    "pypi" + ".org",
    "python" + "hosted.org",
    "npm" + "js.org",
    "conda" + ".anaconda.org",
    "index-url " + "http",
)
MACHINE = re.compile(r"(?<![\w.])/(?:" + "|".join(("wo" + "rk", "ho" + "me", "Us" + "ers", "ro" + "ot")) + r")/\w")


def tracked() -> list[Path]:
    """Files under version control; without git, all but what the make targets create."""
    try:
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT,
            capture_output=True,
            check=True,
            text=True,
        ).stdout.split("\0")
        return [ROOT / name for name in listed if name and (ROOT / name).is_file()]
    except (OSError, subprocess.CalledProcessError):
        made = {"runs", "build", "__pycache__"}
        paths = [path.relative_to(ROOT) for path in ROOT.rglob("*") if path.is_file()]
        return [ROOT / p for p in paths if not any(part in made or part.startswith(".") for part in p.parts)]


TRACKED = tracked()
SOURCES = [path for path in TRACKED if path.suffix == ".py"]
PUBLIC = [path for path in SOURCES if path.relative_to(ROOT).parts[0] in PACKAGES]


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def undocumented(tree: ast.Module) -> list[str]:
    """Public functions, classes and methods without a docstring; overloads and nested functions do not count."""
    found = []

    def visit(body: list[ast.stmt], prefix: str) -> None:
        for node in body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and not node.name.startswith(
                "_"
            ):
                if ast.get_docstring(node) is None:
                    found.append(prefix + node.name)
                if isinstance(node, ast.ClassDef):
                    visit(node.body, f"{prefix}{node.name}.")

    visit(tree.body, "")
    return found


@pytest.mark.parametrize("path", PUBLIC, ids=_name)
def test_modules_and_public_names_have_docstrings(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert ast.get_docstring(tree), "a module says what it holds, and in which units"
    assert undocumented(tree) == []


def test_test_modules_say_what_they_prove() -> None:
    rest = [path for path in SOURCES if path not in PUBLIC and path.stat().st_size]
    assert [_name(path) for path in rest if not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))] == []


def test_names_say_what_a_module_is_for() -> None:
    assert [_name(path) for path in SOURCES if VAGUE & set(path.relative_to(ROOT).with_suffix("").parts)] == []


def test_files_stay_short() -> None:
    long = {_name(path): path.read_text(encoding="utf-8").count("\n") for path in SOURCES}
    assert {name: lines for name, lines in long.items() if lines > LONGEST} == {}


def test_no_registry_and_no_path_of_a_machine_in_any_file() -> None:
    found = []
    for path in TRACKED:
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found += [f"{_name(path)}: {host}" for host in REGISTRIES if host in text]
        found += [f"{_name(path)}: {match[0]}" for match in MACHINE.finditer(text)]
    assert found == []


def test_the_checks_see_what_they_look_for() -> None:
    assert undocumented(
        ast.parse("def f(): ...\nclass A:\n    '''A.'''\n    def g(self): ...\n    def _h(self): ...")
    ) == [
        "f",
        "A.g",
    ]
    assert MACHINE.search("in " + "/wo" + "rk/main")
    assert not MACHINE.search("people/" + "wo" + "rk/places and ../" + "ho" + "me/x")
