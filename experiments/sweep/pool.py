"""Worker processes for cells: each keeps its market, so a worker is given cells of the market it already has.

A worker that dies (killed, out of memory) costs the cell it was at one more try; a second death is that cell's failure.
Workers end when the process that started them does: their pipe closes.
"""

from __future__ import annotations

import multiprocessing
import signal
from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection, wait
from typing import Any

from experiments.sweep.cell import Cell, Failure, Outcome, market_key

_SPAWN = multiprocessing.get_context("spawn")
MOST_TRIES = 2


def _work(pipe: Connection) -> None:
    """A worker's life: take a cell, give back what came of it, until the pipe closes."""
    from experiments.sweep.laboratory import Laboratory

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the whole group; the parent decides
    laboratory = Laboratory()
    while True:
        try:
            number, cell = pipe.recv()
            pipe.send((number, laboratory.run(cell)))
        except (EOFError, OSError):
            return


class _Worker:
    """A process, our end of its pipe, and what it is at."""

    def __init__(self) -> None:
        self.pipe, theirs = _SPAWN.Pipe()
        self.process = _SPAWN.Process(target=_work, args=(theirs,), daemon=True)
        self.process.start()
        theirs.close()
        self.number = -1
        self.market = ""

    def give(self, number: int, cell: Cell, market: str) -> None:
        """Send a cell; a worker found dead is noticed when its result is awaited."""
        self.number, self.market = number, market
        try:
            self.pipe.send((number, cell))
        except OSError:
            return

    def end(self) -> None:
        """End the process, whatever it is at."""
        self.pipe.close()
        self.process.terminate()
        self.process.join()


class _Queue:
    """Cells not yet given out, by market."""

    def __init__(self, cells: Sequence[Cell]) -> None:
        self.cells = cells
        self.markets = [market_key(cell.scenario) for cell in cells]
        self.waiting: dict[str, deque[int]] = defaultdict(deque)
        for number, market in enumerate(self.markets):
            self.waiting[market].append(number)

    def next(self, market: str, taken: set[str]) -> int | None:
        """A cell of *market* if there is one, else of the market with most cells left that nobody is at."""
        if not self.waiting.get(market):
            left = [key for key, numbers in self.waiting.items() if numbers]
            if not left:
                return None
            market = max(left, key=lambda key: (key not in taken, len(self.waiting[key])))
        return self.waiting[market].popleft()

    def put_back(self, number: int) -> None:
        """Give a cell out again."""
        self.waiting[self.markets[number]].appendleft(number)


def in_processes(cells: Sequence[Cell], count: int) -> Iterator[tuple[int, Outcome]]:
    """Run *cells* in *count* processes; yields (index, what came of it) as they finish."""
    queue, tries = _Queue(cells), [0] * len(cells)
    workers = [_Worker() for _ in range(min(count, len(cells)))]
    try:
        for worker in workers:
            _occupy(worker, workers, queue)
        while busy := [worker for worker in workers if worker.number >= 0]:
            ready = wait([worker.pipe for worker in busy], timeout=1.0)
            for worker in [worker for worker in busy if worker.pipe in ready]:
                number, outcome = _result(worker)
                if outcome is None:
                    tries[number] += 1
                    workers[workers.index(worker)] = worker = _replaced(worker)
                    if tries[number] < MOST_TRIES:
                        queue.put_back(number)
                    else:
                        yield number, Failure("died", "the worker process died twice at this cell (out of memory?)")
                else:
                    yield number, outcome
                _occupy(worker, workers, queue)
    finally:
        for worker in workers:
            worker.end()


def _result(worker: _Worker) -> tuple[int, Any]:
    """The cell a worker was at and what came of it, None when the worker is dead."""
    number, worker.number = worker.number, -1
    try:
        return number, worker.pipe.recv()[1]
    except (EOFError, OSError):
        return number, None


def _replaced(worker: _Worker) -> _Worker:
    worker.end()
    return _Worker()


def _occupy(worker: _Worker, workers: list[_Worker], queue: _Queue) -> None:
    taken = {other.market for other in workers if other.number >= 0}
    number = queue.next(worker.market, taken)
    if number is not None:
        worker.give(number, queue.cells[number], queue.markets[number])
