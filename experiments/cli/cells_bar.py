"""What is seen while cells run: a bar with the time left on stderr, silent off a terminal; and Ctrl-C in time."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from experiments.cli.interrupts import held_interrupts
from experiments.errors import Interrupted

OnCell = Callable[[int, int, bool], None]
Check = Callable[[], None]


@contextmanager
def cells_bar(what: str, workers: int) -> Iterator[tuple[OnCell, Check | None]]:
    """Yields the two callbacks of `experiments.sweep.engine.compute`."""
    try:
        if workers > 1:  # nothing is compiled in this process, so Ctrl-C may come at any moment
            with _bar(what) as on_cell:
                yield on_cell, None
            return
        with held_interrupts() as check, _bar(what) as on_cell:
            yield on_cell, check
    except KeyboardInterrupt:
        raise Interrupted("interrupted; finished cells are kept, and the same command goes on from there") from None


@contextmanager
def runs_bar(what: str, total: int) -> Iterator[Callable[[], None]]:
    """Yields what to call after each of *total* runs that are no cells."""
    done = 0
    with held_interrupts() as check, _bar(what, "runs") as on_cell:
        on_cell(0, total, True)

        def on_run() -> None:
            nonlocal done
            check()
            done += 1
            on_cell(done, total, True)

        yield on_run


@contextmanager
def _bar(what: str, parts: str = "cells") -> Iterator[OnCell]:
    if not sys.stderr.isatty():
        yield lambda done, total, run: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn(what),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(f"{parts}, left:"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(what, total=None)
        yield lambda done, total, run: progress.update(task, completed=done, total=total)
