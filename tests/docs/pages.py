"""Commands in pages of documentation, and what the pages say they print.

In a fenced block a line that begins with `$ ` is a command; its output is below it. Commands of a page are
run in order, in one folder, so a later one finds what an earlier one made; the folder holds `docs` and `tests` of the
checkout, as a checkout does. A block of Python is run in the same folder and must end without an error.

In an output a line of `...` stands for lines left out, and `…` for any text within a line. A long sentence is wrapped,
and columns separated by tabs are lined up, as a terminal does both. What differs from run to run is listed in
`tests/docs/outputs.py`.

A comment before a block says what is special about it:

    <!-- printed: slow -->              too slow for `make test`; `make printed` runs it
    <!-- printed: not held: REASON -->  is never run
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    path
    for path in [*(ROOT / "docs").rglob("*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
    if "node_modules" not in path.parts  # other people's pages, once Prebid.js is installed
)
ELSEWHERE = {"docs/python.md": "tests/test_notebooks.py runs the page from top to bottom"}
"""Pages that another test runs."""
BLOCK = re.compile(r"(?:^<!-- printed: (?P<note>[^\n]*) -->\n\n?)?^```(?P<kind>\w*)\n(?P<body>.*?)^```", re.M | re.S)


@dataclass(frozen=True)
class Step:
    """A command and its output.

    `line` is the command's in the page (from 1), `first` that of the output, `shown` the output's lines.
    """

    line: int
    command: str
    first: int
    shown: list[str]


@dataclass(frozen=True)
class Block:
    """A fenced block that can be run; `python` ones are a single step, the script."""

    page: str
    line: int
    kind: str
    note: str
    steps: list[Step]

    @property
    def slow(self) -> bool:
        """Whether it is left to `make printed`."""
        return self.note == "slow"

    @property
    def reason(self) -> str:
        """Why it is never run; empty if it is."""
        return self.note.removeprefix("not held: ") if self.note.startswith("not held: ") else ""


def name_of(page: Path) -> str:
    """A page's path as people write it."""
    return page.relative_to(ROOT).as_posix() if page.is_relative_to(ROOT) else str(page)


def blocks(page: Path) -> list[Block]:
    """The blocks of a page that can be run, in order; ValueError for a comment nobody understands."""
    text = page.read_text("utf-8")
    found = []
    for match in BLOCK.finditer(text):
        note, kind, body = match["note"] or "", match["kind"], match["body"].splitlines()
        line = text.count("\n", 0, match.start("body")) + 1
        if note not in ("", "slow") and not re.fullmatch(r"not held: \S.*", note):
            raise ValueError(f"{name_of(page)}:{line}: `printed: {note}` is neither `slow` nor `not held: REASON`")
        if kind == "python":
            steps = [Step(line, match["body"], line + len(body), [])]
        elif kind == "" and any(text.startswith("$ ") for text in body):
            steps = list(_steps(body, line))
        else:
            continue
        found.append(Block(name_of(page), line, kind, note, steps))
    return found


def _steps(body: list[str], line: int) -> Iterator[Step]:
    """Commands of a block that begins at *line*; a backslash or an open quotation goes on in the next line."""
    starts = [k for k, text in enumerate(body) if text.startswith("$ ")]
    for start, end in zip(starts, [*starts[1:], len(body)], strict=True):
        first = next(k for k in range(start + 1, end + 1) if _whole("\n".join(body[start:k])[2:]) or k == end)
        shown = body[first:end]
        while shown and not shown[-1]:
            shown.pop()
        yield Step(line + start, "\n".join(body[start:first])[2:], line + first, shown)


def _whole(command: str) -> bool:
    if command.endswith("\\"):
        return False
    try:
        shlex.split(command, comments=True)
    except ValueError:
        return False
    return True
