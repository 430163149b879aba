"""The accounts on disk: notices written per second of CPU, and how long a restart takes to read them again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pytest_benchmark.fixture import BenchmarkFixture

from bidder.server.durable import Durable
from bidder.server.entries import Entry, How, Sort
from bidder.server.store import Store, budgets_of
from tests.bidder.test_desk import desk, plan

NOTICES = 20_000
BATCH = 50
"""Notices in a commit: what comes in while the one before is written, under load."""


def store_of(folder: Path) -> Store:
    """Accounts with one campaign that can afford everything, leased to worker 1."""
    store = Store(folder / "a.sqlite", clock=lambda: 0.0, day_ix=lambda now_s: 0, hold_s=60.0)
    with store.session() as session:
        session.set_budgets(budgets_of([plan(total_nanos=10**15)]))
        worker = session.new_worker()
    with store.session(worker) as session:
        assert session.grant(1, 10**14) == 10**14
    return store


def write(store: Store) -> int:
    """Bill NOTICES bids; returns how many were booked."""
    booked = 0
    for first in range(0, NOTICES, BATCH):
        with store.session(1) as session:
            for k in range(first, first + BATCH):
                entry = Entry(Sort.BILLING, f"1-{k}", 1, 1, k % 3, 0, 1_000_000 + k, 0, 0.0)
                booked += session.hear(entry) is How.ON_TIME
    return booked


def test_notices_written(benchmark: BenchmarkFixture, tmp_path: Path) -> None:
    folders = iter(range(100))

    def fresh() -> tuple[tuple[Store], dict[str, Any]]:
        folder = tmp_path / str(next(folders))
        folder.mkdir()
        return (store_of(folder),), {}

    assert benchmark.pedantic(write, setup=fresh, rounds=3) == NOTICES
    benchmark.extra_info["notices"] = NOTICES


def test_notices_read_again_at_a_restart(benchmark: BenchmarkFixture, tmp_path: Path) -> None:
    store = store_of(tmp_path)
    assert write(store) == NOTICES
    campaign = plan(total_nanos=10**15)
    made = desk(campaign)
    made.book_billing("", (0, 0, 0, 0, 0), 0.0, on_time=False)  # type: ignore[arg-type]  # compiled before the clock runs

    def restart() -> int:
        made.book.campaigns["spent_nanos"][:] = 0
        Durable(made, [campaign], store, 2)
        return int(made.book.campaigns["spent_nanos"][0])

    assert benchmark(restart) == sum(1_000_000 + k for k in range(NOTICES))
