"""The engine: which cells are kept already, which must be run, where, and in what order results are handed back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from experiments.sweep.cell import Cell, Outcome, market_key
from experiments.sweep.laboratory import Laboratory
from experiments.sweep.pool import in_processes
from experiments.sweep.store import Store

OnCell = Callable[[int, int, bool], None]
"""Called with cells done, cells in all, and whether the one just done was run (False: it had been kept)."""


def compute(
    cells: Sequence[Cell],
    *,
    store: Store | None = None,
    workers: int = 1,
    dask: str | None = None,
    on_cell: OnCell | None = None,
    check: Callable[[], None] | None = None,
) -> list[Outcome]:
    """What came of each of *cells*, in their order: the same whatever *workers* and whatever was kept before.

    With one worker everything runs in this process; with *dask*, a scheduler's address, on its workers. *check* is
    called often and may raise (Ctrl-C); cells finished by then are kept.
    """
    found: list[Outcome | None] = [None if store is None else store.get(cell) for cell in cells]
    done = 0
    for outcome in found:
        if outcome is not None:
            done += 1
            if on_cell:
                on_cell(done, len(cells), False)
    missing = [number for number, outcome in enumerate(found) if outcome is None]
    wanted = [cells[number] for number in missing]
    for position, outcome in _running(wanted, workers, dask, check):
        if check:
            check()
        number = missing[position]
        if store is not None:
            store.put(cells[number], outcome)
        found[number] = outcome
        done += 1
        if on_cell:
            on_cell(done, len(cells), True)
    return [outcome for outcome in found if outcome is not None]


def _running(
    cells: Sequence[Cell], workers: int, dask: str | None, check: Callable[[], None] | None
) -> Iterator[tuple[int, Outcome]]:
    if dask is not None and cells:
        from experiments.sweep.cluster import on_cluster

        return on_cluster(cells, dask)
    return _here(cells, check) if workers <= 1 or len(cells) <= 1 else in_processes(cells, workers)


def _here(cells: Sequence[Cell], check: Callable[[], None] | None) -> Iterator[tuple[int, Outcome]]:
    """Run *cells* in this process, market by market."""
    laboratory = Laboratory(check)
    markets = [market_key(cell.scenario) for cell in cells]
    first = {market: number for number, market in reversed(list(enumerate(markets)))}
    for number in sorted(range(len(cells)), key=lambda number: (first[markets[number]], number)):
        yield number, laboratory.run(cells[number])
