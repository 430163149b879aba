"""How far caps can be exceeded by bids in flight that a worker cannot see: W workers, limit L, never beyond W * L."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from bidder.plan import CapPlan
from tests.bidder.server.test_app import Client
from tests.bidder.server.test_durable import maybe_bid, priced, state_of, worker
from tests.bidder.test_desk import CPM, plan
from tests.patience import until

WORKERS = 2


async def fill(clients: list[Client], rounds: int) -> list[str]:
    """The bills of what they bid, one after the other, for one person."""
    bids = [await maybe_bid(client) for _ in range(rounds) for client in clients]
    return [priced(bid["burl"]) for bid in bids if bid is not None]


async def heard_by_all(clients: list[Client], wins: int) -> None:
    """Wait until every book has them."""
    await until(lambda: all(client.desk.book.campaigns["wins"][0] >= wins for client in clients))


@pytest.mark.parametrize("known", [0, 1, 2])
def test_what_all_know_counts_at_all_and_the_rest_once_per_worker(tmp_path: Path, known: int) -> None:
    """Of a limit of 3, *known* are billed before: known + W * (3 - known) are bought in the worst case, then none."""
    limit = 3
    capped = plan(total_nanos=1000 * CPM, caps=(CapPlan(limit, 86400.0, True),))
    state = state_of(tmp_path, capped)

    async def main() -> None:
        async with worker(state, capped, workers=WORKERS) as a, worker(state, capped, workers=WORKERS) as b:
            early = await fill([a], known)
            assert [await a.get(burl) for burl in early] == [204] * known
            await heard_by_all([a, b], known)
            late = await fill([a, b], 2 * limit)  # nobody is told of any before all are in flight
            assert len(late) == WORKERS * (limit - known)
            assert [await b.get(burl) for burl in late] == [204] * len(late)
            await heard_by_all([a, b], known + len(late))
            assert await fill([a, b], 1) == []

    asyncio.run(main())
    state.close()


def test_bids_told_at_once_exceed_nothing(tmp_path: Path) -> None:
    """Where a bill comes before the next request of the person, the cap is exact, whichever worker is asked."""
    capped = plan(total_nanos=1000 * CPM, caps=(CapPlan(3, 86400.0, True),))
    state = state_of(tmp_path, capped)

    async def main() -> None:
        async with worker(state, capped, workers=WORKERS) as a, worker(state, capped, workers=WORKERS) as b:
            bought = 0
            for client in (a, b) * 4:
                for burl in await fill([client], 1):
                    assert await client.get(burl) == 204
                    bought += 1
                    await heard_by_all([a, b], bought)
            assert bought == 3

    asyncio.run(main())
    state.close()
