"""Run the commands of the documentation and compare what they print: `make printed`.

`python -m tests.docs.printed [PAGE …] [--quick] [--write]`: without pages all of them; `--quick` leaves out what
`make test` leaves out; `--write` writes what was printed into the pages, for a look at the difference before a commit.
Exit code 1 when a page is stale. Conventions are in `tests/docs/pages.py`.
"""

from __future__ import annotations

import argparse
import difflib
import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.command_line import bidlab
from tests.docs.outputs import Names, mended, tidy
from tests.docs.pages import ELSEWHERE, PAGES, ROOT, Block, Step, blocks, name_of

LONGEST_S = 900
OF_TERMINALS = ("COLUMNS", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE")
"""What would make the program believe that it writes to a terminal."""
Run = Callable[[Path, str], tuple[int, str]]
"""Runs a command in a folder: its exit code, and what it printed."""


def in_a_shell(folder: Path, command: str) -> tuple[int, str]:
    """As a person runs it, with the `bidlab` of this checkout."""
    around = {name: value for name, value in os.environ.items() if name not in OF_TERMINALS}
    here = {
        "PATH": os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"])),
        "PYTHONPATH": str(ROOT),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    with subprocess.Popen(
        ["bash", "-c", command],
        cwd=folder,
        env={**around, **here},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as shell:
        try:
            text = shell.communicate(timeout=LONGEST_S)[0]
            return shell.returncode, text
        except subprocess.TimeoutExpired:
            os.killpg(shell.pid, signal.SIGKILL)  # what the shell started too: it holds the pipe
            return 124, f"{shell.communicate()[0]}\nstopped after {LONGEST_S} s"


def in_this_process(folder: Path, command: str) -> tuple[int, str]:
    """The same without a new interpreter for each command; what needs a shell gets one."""
    words = shlex.split(command, comments=True)
    if words[0] != "bidlab" or re.search(r"[;|&<>$*]", re.sub(r"'[^']*'", "", command)):
        return in_a_shell(folder, command)
    done = bidlab(folder, *words[1:])
    return done.code, done.stdout + done.stderr


@dataclass
class Outcome:
    """What came of a page: commands run, faults as a person reads them, and the outputs the page should show."""

    commands: int = 0
    held: int = 0
    faults: list[str] = field(default_factory=list)
    stale: list[tuple[Step, list[str]]] = field(default_factory=list)


@contextmanager
def checkout() -> Iterator[Path]:
    """A folder in which commands of a page find what they name of the checkout."""
    with tempfile.TemporaryDirectory(prefix="bidlab-printed-") as name:
        for part in ("docs", "tests"):
            (Path(name) / part).symlink_to(ROOT / part)
        yield Path(name)


def run_page(held: list[Block], run: Run, tell: Callable[[str], None] = lambda _: None) -> Outcome:
    """Run blocks of one page in order, in a folder of their own."""
    outcome, names = Outcome(), Names()
    with checkout() as folder:
        for block in held:
            outcome.held += 1
            for step in block.steps:
                start = time.monotonic()
                fault = (
                    _run_python(block, step, folder) if block.kind else _run(block, step, folder, run, names, outcome)
                )
                outcome.commands += 1
                outcome.faults += fault
                what = "python" if block.kind else step.command.splitlines()[0]
                tell(
                    f"{'FAULT' if fault else 'ok':6}{time.monotonic() - start:7.1f} s  {block.page}:{step.line}  {what}"
                )
    return outcome


def _run(block: Block, step: Step, folder: Path, run: Run, names: Names, outcome: Outcome) -> list[str]:
    code, text = run(folder, names.in_command(step.command))
    printed = tidy(names.in_page(text, step.shown))
    place = f"{block.page}:{step.line}: $ {step.command}"
    new = mended(step.shown, printed)
    faults = []
    if (code != 0) != any(line.startswith("bidlab: ") for line in printed):
        faults.append(f"{place}\nended with exit code {code}")
    if new != step.shown:
        outcome.stale.append((step, new))
        faults.append(
            f"{place}\n" + "\n".join(difflib.unified_diff(step.shown, new, "page", "printed", lineterm="", n=1))
        )
    return faults


def _run_python(block: Block, step: Step, folder: Path) -> list[str]:
    code, text = in_a_shell(folder, f"{shlex.quote(sys.executable)} -W error -c {shlex.quote(step.command)}")
    return [f"{block.page}:{step.line}: python ended with exit code {code}\n{text}"] if code else []


def write(page: str, stale: list[tuple[Step, list[str]]]) -> None:
    """Put new outputs into a page."""
    path = ROOT / page
    lines = path.read_text("utf-8").splitlines()
    for step, new in reversed(stale):
        lines[step.first - 1 : step.first - 1 + len(step.shown)] = new
    path.write_text("\n".join(lines) + "\n", "utf-8")


def main() -> int:
    """The command; returns its exit code."""
    ask = argparse.ArgumentParser(prog="python -m tests.docs.printed", description=__doc__.splitlines()[0])
    ask.add_argument("pages", nargs="*", metavar="PAGE", help="docs/market.md …; without any all of them")
    ask.add_argument("--quick", action="store_true", help="only what `make test` runs")
    ask.add_argument("--write", action="store_true", help="write what was printed into the pages")
    asked = ask.parse_args()
    unknown = set(asked.pages) - set(map(name_of, PAGES))
    if unknown:
        ask.error(f"no such page: {', '.join(sorted(unknown))}")
    start, held, commands, faults, left = time.monotonic(), 0, 0, [], []
    for page in PAGES:
        if name_of(page) in ELSEWHERE or (asked.pages and name_of(page) not in asked.pages):
            continue
        found = blocks(page)
        left += [block for block in found if block.reason]
        outcome = run_page(
            [block for block in found if not (block.reason or (asked.quick and block.slow))],
            in_a_shell,
            lambda line: print(line, flush=True),
        )
        held, commands, faults = held + outcome.held, commands + outcome.commands, faults + outcome.faults
        if asked.write:
            write(name_of(page), outcome.stale)
    for block in left:
        print(
            f"not held: {block.page}:{block.line}  {block.steps[0].command.splitlines()[0]}\n          {block.reason}"
        )
    for page_name, why in ELSEWHERE.items():
        print(f"not here: {page_name}: {why}")
    print("\n\n".join(["", *faults]))
    print(f"{held} blocks with {commands} commands in {time.monotonic() - start:.0f} s")
    print(f"{len(faults)} faults; {len(left)} blocks not held")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
