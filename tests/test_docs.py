"""The documentation against the program: commands, options, make targets, links, paths, version, table of imports."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.main import get_command

from experiments.cli import commands
from tests.test_imports import ALLOWED

ROOT = Path(__file__).parents[1]
HIDDEN = {"runs", "build", "node_modules"}
PAGES = sorted(
    page
    for page in ROOT.rglob("*.md")
    if not any(part.startswith(".") or part in HIDDEN for part in page.relative_to(ROOT).parts)
)


def read(name: str) -> str:
    """Text of a file of the repository."""
    return (ROOT / name).read_text("utf-8")


def name_of(page: Path) -> str:
    """A page's path as people write it."""
    return page.relative_to(ROOT).as_posix()


def prose(text: str) -> str:
    """A page without its fenced code."""
    return re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)


def command_line() -> dict[str, Any]:
    """Every command by name, as the program registers it."""
    app = typer.Typer()
    commands.register(app)
    return dict(leaves(get_command(app)))


OWN_PAGE = {"dmp"}
"""Groups whose commands have a page of their own, and one section here."""


def leaves(group: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every command of a group and of the groups in it, under its full name."""
    for name, command in group.commands.items():
        if hasattr(command, "commands") and name not in OWN_PAGE:
            yield from leaves(command, f"{prefix}{name} ")
        else:
            yield f"{prefix}{name}", command


def sections(text: str) -> dict[str, str]:
    """What follows each second-level heading of a page."""
    parts = re.split(r"^## (.*)$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def options_of(command: Any) -> set[str]:
    """All spellings of a command's options, `--help` aside."""
    return {
        spelling for p in command.params if p.param_type_name == "option" for spelling in (*p.opts, *p.secondary_opts)
    } - {"--help"}


def test_every_command_has_a_section_and_every_section_a_command() -> None:
    headings = {heading.split("`")[1] for heading in sections(read("docs/commands.md")) if heading.startswith("`")}
    assert headings == {f"bidlab {name}" for name in command_line()}


@pytest.mark.parametrize("name", sorted(command_line()))
def test_every_option_is_in_its_command_s_table(name: str) -> None:
    section = sections(read("docs/commands.md"))[f"`bidlab {name}`"]
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    told = {word for row in rows for word in re.findall(r"(?<![\w-])--[a-z][a-z-]*", row)}
    assert told == options_of(command_line()[name])
    for parameter in command_line()[name].params:
        if parameter.param_type_name == "argument":
            assert any(f"`{parameter.name.upper()}`" in row for row in rows), parameter.name


def make_targets() -> set[str]:
    """Targets a person calls: those with a word of help."""
    return set(re.findall(r"^([a-z-]+):[^\n]*##", read("Makefile"), flags=re.MULTILINE))


def test_every_make_target_is_in_contributing() -> None:
    told = set(re.findall(r"`make ([a-z-]+)`", read("CONTRIBUTING.md")))
    assert make_targets() <= told, f"not told: {sorted(make_targets() - told)}"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_make_targets_that_are_named_exist(page: Path) -> None:
    named = set(re.findall(r"`make ([a-z-]+)`", page.read_text("utf-8")))
    assert named <= make_targets(), f"no such target: {sorted(named - make_targets())}"


def slug(heading: str) -> str:
    """The anchor a forge gives a heading."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def anchors(page: Path) -> set[str]:
    """Every anchor of a page."""
    return {slug(heading) for heading in re.findall(r"^#+ (.*)$", prose(page.read_text("utf-8")), flags=re.MULTILINE)}


def broken_links(page: Path) -> Iterator[str]:
    """Relative links of a page that lead nowhere."""
    for link in re.findall(r"\]\(([^)\s]+)\)", prose(page.read_text("utf-8"))):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and target.suffix == ".md" and anchor not in anchors(target)):
            yield link


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_relative_links_lead_somewhere(page: Path) -> None:
    assert list(broken_links(page)) == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_paths_that_are_named_exist(page: Path) -> None:
    named = re.findall(r"`([\w.-]+(?:/[\w.-]+)+\.(?:py|yaml|md))`", prose(page.read_text("utf-8")))
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_every_page_is_in_the_index_and_every_picture_in_the_gallery_or_a_page() -> None:
    index = set(re.findall(r"\]\(([a-z-]+\.md)\)", read("docs/README.md")))
    assert index == {page.name for page in (ROOT / "docs").glob("*.md")} - {"README.md"}
    used = {picture for page in PAGES for picture in re.findall(r"images/([a-z-]+\.png)", page.read_text("utf-8"))}
    assert used == {picture.name for picture in (ROOT / "docs" / "images").iterdir()}


def test_the_changelog_s_top_version_is_the_project_s() -> None:
    version = tomllib.loads(read("pyproject.toml"))["project"]["version"]
    released = re.findall(r"^## \[(\d[^\]]*)\]", read("CHANGELOG.md"), flags=re.MULTILINE)
    assert released[0] == version


def import_table() -> dict[str, set[str]]:
    """What docs/architecture.md says each package may import besides itself and the standard library."""
    section = sections(read("docs/architecture.md"))["Rooms and who may import whom"]
    rows = [line.split("|")[1:-1] for line in section.splitlines() if line.startswith("| `")]
    return {row[0].strip(" `"): {name for cell in row[2:4] for name in re.findall(r"`(\w+)`", cell)} for row in rows}


def test_the_import_table_promises_nothing_the_import_test_forbids() -> None:
    table = import_table()
    assert set(table) == {name for name in ALLOWED if (ROOT / name).is_dir()}
    for package, told in table.items():
        allowed = ALLOWED[package]
        assert allowed is None or told <= allowed, package
