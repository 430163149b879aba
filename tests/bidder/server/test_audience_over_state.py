"""People of an audience stay who they are over restarts, also where the newest version is not known yet."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bidder.image import EXPOSURE, moved
from bidder.plan import CapPlan
from bidder.server.people import MappedAudience, People
from bidder.server.state import State
from dmp import activation
from dmp.consent import ALL
from dmp.rights import refuse
from dmp.sources.importer import import_source
from dmp.store import Store
from tests.bidder.server.test_app import REQUEST, Client
from tests.bidder.server.test_durable import RESERVATION_S, priced, state_of, worker
from tests.bidder.server.test_newer_audiences import NOW_S, make
from tests.bidder.server.test_newer_audiences import store as store
from tests.bidder.test_desk import CPM, plan
from tests.dmp.people import write_source
from tests.patience import until

ONCE = plan(total_nanos=1000 * CPM, caps=(CapPlan(1, 86400.0, True),))


def life(folder: Path, store: Store, story: Callable[[Client], Coroutine[Any, Any, None]], after: int = 0) -> bool:
    """A service from start to end; whether people were numbered anew."""
    audience = MappedAudience(store.folder)
    state = State(folder, "audience", start_of_day_s=0, hold_s=RESERVATION_S)
    anew = state.begin((ONCE,), audience.active.numbering, audience.moved_from)

    async def main() -> None:
        async with worker(state, ONCE, audience=audience, compact_after=after) as client:
            client.service.people = People(client.desk, audience)
            await story(client)

    try:
        asyncio.run(main())
    finally:
        state.close()
    return anew


async def buy(client: Client, user: str) -> str:
    """Win an impression of this user; the billing URL without the address."""
    bid = await client.bid(user={"id": user})
    burl = priced(bid["burl"])
    assert await client.get(burl) == 204
    return str(burl.removeprefix(client.url))


async def capped(client: Client, user: str) -> bool:
    """Whether this user has seen it as often as allowed."""
    return (await client.post({**REQUEST, "test": 1, "user": {"id": user}}))[0] == 204


@pytest.mark.parametrize("compact_after", [0, 1])
def test_caps_stay_with_their_people(tmp_path: Path, store: Store, compact_after: int) -> None:
    make(store)
    unpaid: list[str] = []

    async def first(client: Client) -> None:
        await buy(client, "p1")
        unpaid.append(priced((await client.bid(user={"id": "p2"}))["burl"]).removeprefix(client.url))
        accounts = client.service.accounts
        await until(lambda: not compact_after or accounts._compaction.made)  # type: ignore[attr-defined]

    async def second(client: Client) -> None:
        assert [await capped(client, user) for user in ("a0", "p0", "p1", "p2")] == [False, False, True, False]
        assert await client.get(client.url + unpaid[0]) == 204
        assert await capped(client, "p2")

    async def third(client: Client) -> None:
        assert [await capped(client, user) for user in ("a0", "p0", "p1", "p2")] == [False] * 4
        assert client.desk.book.campaigns["spent_nanos"][0] == 3_000_000
        unpaid.append(await buy(client, "p0"))
        assert [await capped(client, user) for user in ("a0", "p0", "p1", "p2")] == [False, True, False, False]
        assert await client.get(client.url + unpaid[0]) == 204  # heard before
        assert client.desk.counts.repeated == 1

    assert not life(tmp_path / "state", store, first, compact_after)
    import_source(store, write_source(tmp_path, "t", [{"cookie": f"a{k}"} for k in range(9)], ["cookie"]), NOW_S)
    make(store)
    assert not life(tmp_path / "state", store, second, compact_after)
    shutil.rmtree(store.folder / "active")  # as when too few rows are in use: numbered anew
    make(store)
    assert life(tmp_path / "state", store, third, compact_after)


@pytest.mark.parametrize("compact_after", [0, 1])
def test_caps_follow_people_who_are_numbered_anew(
    tmp_path: Path, store: Store, compact_after: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twice while nobody served: by the rows they had, p1 has seen it, p0 has not, and p2 is somebody else by now."""
    make(store)
    before = MappedAudience(store.folder)

    async def first(client: Client) -> None:
        await buy(client, "p1")
        await buy(client, "p2")
        accounts = client.service.accounts
        async with asyncio.timeout(20):
            while compact_after and accounts._compaction.made == 0:  # type: ignore[attr-defined]
                await asyncio.sleep(0.01)

    async def second(client: Client) -> None:
        assert [await capped(client, user) for user in users] == [user == "p1" for user in users]
        assert client.desk.book.campaigns["spent_nanos"][0] == 3_000_000
        await buy(client, "p0")

    async def third(client: Client) -> None:
        assert [await capped(client, user) for user in users] == [user in ("p0", "p1") for user in users]

    assert not life(tmp_path / "state", store, first, compact_after)
    monkeypatch.setattr(activation, "SPARE_ROWS", -1000)  # as if too few rows were in use
    users = ["p0", "p1", *(f"a{k}" for k in range(9))]
    for name, rows in (("t", users[2:6]), ("u", users[6:])):
        if name == "u":
            refuse(store, "cookie:p2", ALL, "form", NOW_S)
        import_source(store, write_source(tmp_path, name, [{"cookie": c} for c in rows], ["cookie"]), NOW_S)
        make(store)
    now = MappedAudience(store.folder)
    assert now.active.numbering != before.active.numbering
    assert now.row_ix("p1") != before.row_ix("p1")
    assert not life(tmp_path / "state", store, second, compact_after)
    assert not life(tmp_path / "state", store, third, compact_after)


def test_a_worker_hears_of_people_it_does_not_have_yet(tmp_path: Path, store: Store) -> None:
    """One has gone over to a newer version; what it sells is booked by the other for when that does so too."""
    make(store)
    old = MappedAudience(store.folder)
    rows = [{"cookie": f"a{k}"} for k in range(3000)]
    import_source(store, write_source(tmp_path, "t", rows, ["cookie"]), NOW_S)
    make(store)
    new = MappedAudience(store.folder)
    assert new.active.numbering == old.active.numbering
    late, other, *_ = (f"a{k}" for k in range(3000) if new.row_ix(f"a{k}") >= 2900)
    state = state_of(tmp_path / "state", ONCE)

    async def main() -> None:
        async with (
            worker(state, ONCE, audience=new, workers=2) as ahead,
            worker(state, ONCE, audience=old, workers=2) as behind,
        ):
            await buy(ahead, late)
            await until(lambda: behind.desk.book.campaigns["wins"][0])
            assert (old.row_ix(late), old.row_ix(other)) == (-1, -1)
            old.active.refresh()
            behind.desk.renew_people()
            assert await capped(behind, late)
            assert not await capped(behind, other)

    asyncio.run(main())
    state.close()


def test_two_who_have_become_one_have_seen_what_both_have() -> None:
    """In the order it happened; who is gone, or was never numbered, has seen nothing."""
    seen = np.zeros(5, EXPOSURE)
    seen["person_ix"], seen["time_s"] = [0, 0, 1, 2, 9], [1.0, 4.0, 2.0, 3.0, 5.0]
    found = np.frombuffer(moved(seen.tobytes(), np.array([7, 7, -1], np.int32)), EXPOSURE)
    assert found["person_ix"].tolist() == [7, 7, 7]
    assert found["time_s"].tolist() == [1.0, 2.0, 4.0]
