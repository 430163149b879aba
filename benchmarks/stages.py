"""Where the nanoseconds go: the batch loop cut off after each stage, on the benchmark world.

Each cut runs the same requests on a book already in the middle of its life, and does nothing to it.
"""

from __future__ import annotations

import time

import numpy as np
from numpy.typing import NDArray

from benchmarks.world import benchmark_scenario
from bidder.core.book import Book
from bidder.core.decide import decide
from exchange_sim.kernel import kernel
from exchange_sim.selling.terms import set_terms
from exchange_sim.traffic import draw_opportunities, draw_signals
from exchange_sim.world import World
from experiments.drivers.batch import BatchRun, run_batch
from experiments.drivers.batch_kernel import Desk, clear_opportunity, see
from experiments.drivers.look_ahead import look_ahead
from experiments.ledger import Tallies
from experiments.setting import make_ready

DRAW, SEE, DECIDE, CLEAR = range(4)
ROUNDS = 5
NAMES = ("draw requests", "load memory, see it", "decide", "clear")


@kernel
def _run_to(
    last: int,
    world: World,
    book: Book,
    rows: NDArray[np.uint64],
    desk: Desk,
    tallies: Tallies,
    cursor: NDArray[np.float64],
    until_s: float,
) -> int:
    """The loop of `advance` without its writers, cut off after stage *last*; returns the auctions drawn."""
    opps, done = desk.opportunities, 0
    while True:
        n = draw_opportunities(world, opps, opps.shape[0], cursor, until_s)
        if last >= SEE:
            for i in range(n):
                look_ahead(world, book, rows, opps, i, n)
                set_terms(world, opps, i, desk.terms, 0)
                see(world, book, opps, i, desk.terms, 0, desk.impression)
                draw_signals(world, opps["key"][i], desk.signals)
                bid = 0
                if last >= DECIDE:
                    row = rows[opps["person_ix"][i]]
                    bid = decide(book, row, desk.impression, 0, desk.signals, tallies.reasons)[1]
                if last >= CLEAR:
                    clear_opportunity(world, opps, i, desk.terms, 0, -1, bid, False, tallies)
        done += n
        if n < opps.shape[0]:
            return done


def measure(auctions: int = 1_000_000) -> list[tuple[str, float]]:
    """(stage, nanoseconds per auction) of the batch loop, the writers (book, ledger, outcomes) last."""
    setting = make_ready(benchmark_scenario(auctions))
    run = BatchRun(setting, None)
    started = time.process_time()
    for start_s, end_s in setting.ticks():
        run.tick(start_s, end_s)
    total_ns = (time.process_time() - started) * 1e9 / run.auctions
    cuts = [float("inf")] * len(NAMES)
    for attempt in range(ROUNDS + 1):  # in turn: a slow moment falls on all; the first compiles
        for stage in range(len(NAMES)):
            started = time.process_time()
            auctions = _cut(stage, run, setting.end_s)
            if attempt:
                cuts[stage] = min(cuts[stage], (time.process_time() - started) * 1e9 / auctions)
    stages = [(name, cut - before) for name, cut, before in zip(NAMES, cuts, [0.0, *cuts[:-1]], strict=True)]
    return [*stages, ("book, ledger, outcomes", total_ns - cuts[-1]), ("all", total_ns)]


def _cut(stage: int, run: BatchRun, end_s: float) -> int:
    tallies = run.setting.new_tallies()
    return _run_to(stage, run.world, run.book, run.rows, run.desk, tallies, np.array([0.0, end_s - 86400.0]), end_s)


if __name__ == "__main__":
    run_batch(make_ready(benchmark_scenario(10_000, people=1_000)))  # loads the compiled kernels
    for name, nanoseconds in measure():
        print(f"{name:>24} {nanoseconds:8.1f} ns")
