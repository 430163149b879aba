"""Cells on many machines: a dask.distributed scheduler hands them to its workers. The numbers are those of one process.

The scheduler is found by its address, `tcp://host:8786`. A worker is used only when its bidlab and libraries are those
of this process: otherwise its numbers could differ, and its cells would be kept under a name they have no right to.
`distributed` is an optional extra, imported only here.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Sequence
from typing import Any

from experiments.errors import SweepError
from experiments.sweep.cell import Cell, Failure, Outcome, market_key, source_version
from experiments.sweep.laboratory import Laboratory

CONNECT_S = 5.0
"""How long a scheduler may take to answer, and then to show a worker."""

IN_FLIGHT_PER_THREAD = 4
"""Cells given out ahead of a worker's thread, so that none waits for the network."""

_one_at_a_time = threading.Lock()
_laboratory = Laboratory()
"""A worker process's own; its threads take turns, because a cell holds the interpreter anyway."""


def on_cluster(cells: Sequence[Cell], address: str) -> Iterator[tuple[int, Outcome]]:
    """Run *cells* on the workers of the scheduler at *address*; yields (index, what came of it) as they finish.

    Raises `SweepError` when `distributed` is missing, the scheduler does not answer within seconds or goes away, or no
    worker has this program.
    """
    distributed = _imported()
    client = _connected(distributed, address)
    try:
        workers = _usable(client, address)
        threads = sum(client.nthreads().get(worker, 1) for worker in workers)
        yield from _spread(distributed, client, cells, workers, IN_FLIGHT_PER_THREAD * threads)
    except (OSError, distributed.client.FutureCancelledError):
        raise SweepError(
            f"--dask {address}: the scheduler went away; finished cells are kept, "
            "and the same command goes on from there"
        ) from None
    finally:
        client.close(timeout=CONNECT_S)


def run_here(cell: Cell) -> Outcome:
    """What a worker does: run *cell* in the laboratory of its process."""
    with _one_at_a_time:
        return _laboratory.run(cell)


def version_here() -> str:
    """What a worker says of itself."""
    return source_version()


def _imported() -> Any:
    try:
        import distributed
    except ImportError:
        raise SweepError("--dask: wants the package distributed; install it with: pip install 'bidlab[dask]'") from None
    return distributed


def _connected(distributed: Any, address: str) -> Any:
    if not address.strip():
        raise SweepError("--dask: names no address; write for example --dask tcp://host:8786")
    for logger in ("distributed", "distributed.client", "distributed.comm"):
        logging.getLogger(logger).setLevel(logging.CRITICAL)  # what goes wrong is said once, in our words
    try:
        return distributed.Client(address, timeout=CONNECT_S, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        raise SweepError(
            f"--dask {address}: no scheduler answers there ({error}); start one with `dask scheduler` "
            "and give the address it prints, as tcp://host:8786"
        ) from None


def _usable(client: Any, address: str) -> list[str]:
    """Addresses of workers that have this very program."""
    try:
        client.wait_for_workers(1, timeout=CONNECT_S)
    except TimeoutError:
        raise SweepError(
            f"--dask {address}: the scheduler has no workers; start some with `dask worker {address}`"
        ) from None
    mine, found = source_version(), client.run(version_here, on_error="return")
    same = sorted(worker for worker, version in found.items() if version == mine)
    if not same:
        worker, version = next(iter(found.items()))
        raise SweepError(
            f"--dask {address}: no worker has this bidlab with these libraries (here {mine}, {worker}: {version}); "
            "install the same on every machine (pip install --require-hashes -r constraints.txt) and start workers anew"
        )
    return same


def _spread(
    distributed: Any, client: Any, cells: Sequence[Cell], workers: list[str], in_flight: int
) -> Iterator[tuple[int, Outcome]]:
    """Give cells out market by market, never more than *in_flight* at once."""
    markets = [market_key(cell.scenario) for cell in cells]
    first = {market: number for number, market in reversed(list(enumerate(markets)))}
    waiting = iter(sorted(range(len(cells)), key=lambda number: (first[markets[number]], number)))
    numbers: dict[str, int] = {}
    completed = distributed.as_completed(loop=client.loop, raise_errors=False)

    def give() -> bool:
        number = next(waiting, None)
        if number is None:
            return False
        future = client.submit(run_here, cells[number], workers=workers, pure=False)
        numbers[future.key] = number
        completed.add(future)
        return True

    while len(numbers) < in_flight and give():
        pass
    for future in completed:
        give()
        yield numbers[future.key], _outcome(distributed, future)


def _outcome(distributed: Any, future: Any) -> Outcome:
    try:
        found: Outcome = future.result()
    except distributed.KilledWorker:
        return Failure("died", "the workers that were given this cell died (out of memory?)")
    return found
