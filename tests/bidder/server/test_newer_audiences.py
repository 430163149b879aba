"""A running bidder goes over to newer versions of the audience: over real sockets, from real files of the platform."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bidder.build import build_book
from bidder.desk import Desk
from bidder.errors import ServeError
from bidder.plan import CampaignPlan, CapPlan, TargetPlan
from bidder.room import ensure_people
from bidder.server import people
from bidder.server.people import MappedAudience, People
from dmp.activation import activate
from dmp.active import Active
from dmp.audience import Reader, open_audience
from dmp.consent import ACTIVATION, ALL
from dmp.rights import refuse
from dmp.sources.importer import import_source
from dmp.store import Store
from tests.bidder.server.test_app import REQUEST, Client, served
from tests.bidder.test_desk import DIRECTORY, Clock, plan
from tests.command_line import bidlab
from tests.dmp.people import key, write_source
from tests.patience import HANG_S

NOW_S = 1_780_000_000
COOKS = TargetPlan(any_segments=("cooks",))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Three people: p0 and p2 by cookie, p1 by cookie and device."""
    store = Store(tmp_path / "audience")
    rows = [{"cookie": "p0"}, {"cookie": "p1", "device": "38400000-8cf0-11bd-b23e-10b96e40000d"}, {"cookie": "p2"}]
    import_source(store, write_source(tmp_path, "s", rows, ["cookie", "device"]), NOW_S)
    return store


def make(store: Store, *cooks: str, **more: Any) -> str:
    """Activate a version in which these cookies are cooks."""
    audience = open_audience(store, ACTIVATION, Reader("t", "t"), now_s=NOW_S)
    flags = np.zeros(audience.graph.persons, np.bool_)
    at = audience.graph.find(np.array([key("cookie", cookie) for cookie in cooks], np.uint64))
    flags[audience.graph.person_ix[at[at >= 0]]] = True
    return activate(audience, {"cooks": flags, **more}, ACTIVATION)


def told(story: Callable[[Client, People], Coroutine[Any, Any, None]], store: Store, *plans: CampaignPlan) -> None:
    """Let *story* happen to a service on the audience of *store*."""
    audience = MappedAudience(store.folder)
    book = build_book(plans, DIRECTORY, people_count=len(audience.rows), held=audience.rows)
    desk = Desk(book, plans, DIRECTORY, audience, clock=Clock(), reservation_s=10.0)

    async def main(client: Client) -> None:
        client.service.people = People(desk, audience)
        await story(client, client.service.people)

    served(main, desk)


async def bids(client: Client, user: str) -> bool:
    """Whether a trial request of this user is bid for; anything but an answer is an error."""
    status, body = await client.post({**REQUEST, "test": 1, "user": {"id": user}})
    assert status in (200, 204), body
    return status == 200


def test_requests_are_answered_while_versions_are_swapped(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten versions in turn: nothing is dropped, and the answers are those of one version or the next."""
    monkeypatch.setattr(people, "LOOK_EVERY_S", 0.01)
    make(store, "p0")
    answered = {"p0": [True], "p1": [False]}

    async def story(client: Client, watched: People) -> None:
        async def ask(user: str) -> None:
            while True:
                answered[user].append(await bids(client, user))

        watched.start()
        asking = [asyncio.create_task(ask(user)) for user in answered]
        for number in range(10):
            chosen, other = ("p1", "p0") if number % 2 == 0 else ("p0", "p1")
            await asyncio.to_thread(make, store, chosen)
            async with asyncio.timeout(HANG_S):
                while answered[chosen][-1] is not True or answered[other][-1] is not False:
                    assert not any(task.done() for task in asking)
                    await asyncio.sleep(0.001)
        for task in asking:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        await watched.stop()
        assert (watched.swaps, watched.refused) == (10, 0)

    told(story, store, plan(target=COOKS))
    for user in answered:
        changes = sum(a != b for a, b in zip(answered[user], answered[user][1:], strict=False))
        assert changes == 10


def test_caps_and_bids_in_flight_go_on_in_the_next_version(store: Store, tmp_path: Path) -> None:
    """A hundred newcomers, most of them before the others in the order of keys, and one person who is two no more."""
    make(store, "p0", "p1")

    async def story(client: Client, watched: People) -> None:
        user = {"user": {"id": "p1"}}
        first, second = await client.bid(**user), await client.bid(**user)
        assert await client.get(first["burl"].replace("${AUCTION_PRICE}", "1.0")) == 204
        rows = [{"cookie": f"new{n}"} for n in range(100)]
        import_source(store, write_source(tmp_path, "more", rows, ["cookie"]), NOW_S)
        make(store, "p0", "p1", "new99")
        await watched.look()
        assert watched.swaps == 1
        assert not await bids(client, "p1")  # two exposures: one shown, one under way
        assert not await bids(client, "38400000-8CF0-11BD-B23E-10B96E40000D")  # the same person's telephone
        assert await bids(client, "p0")
        assert await bids(client, "new99")
        assert await client.get(second["lurl"].replace("${AUCTION_LOSS}", "102")) == 204
        assert await bids(client, "p1")
        assert await bids(client, "38400000-8CF0-11BD-B23E-10B96E40000D")
        assert (await client.bid(user={"id": "new99"}))["price"] == 2.0

    told(story, store, plan(target=COOKS, caps=(CapPlan(2, 86400.0, True),)))


def test_a_refusal_is_obeyed_at_the_next_request(store: Store) -> None:
    make(store, "p0", "p1")

    async def story(client: Client, watched: People) -> None:
        assert await bids(client, "p0")
        refuse(store, "cookie:p0", ALL, "form", NOW_S)
        assert not await bids(client, "p0")
        assert await bids(client, "p1")
        assert watched.swaps == 0

    told(story, store, plan(target=COOKS))


def test_a_refusal_reaches_a_bidder_that_is_a_version_behind(store: Store) -> None:
    make(store, "p0", "p1")

    async def story(client: Client, watched: People) -> None:
        make(store, "p0", "p1")
        refuse(store, "cookie:p0", ALL, "form", NOW_S)
        assert watched.swaps == 0
        assert not await bids(client, "p0")
        assert await bids(client, "p1")

    told(story, store, plan(target=COOKS))


def test_versions_that_cannot_be_taken_change_nothing(store: Store) -> None:
    make(store, "p0")

    async def story(client: Client, watched: People) -> None:
        make(store, "p1", other=np.zeros(3, np.bool_))
        for _ in range(2):
            await watched.look()
        assert (watched.swaps, watched.refused) == (0, 1)
        assert await bids(client, "p0")
        about = store.folder / "active" / make(store, "p1") / "about.json"
        about.write_text(json.dumps({**json.loads(about.read_text()), "numbering": "another"}))
        await watched.look()
        assert (watched.swaps, watched.refused) == (0, 2)
        assert await bids(client, "p0")
        make(store, "p1")
        (store.folder / "active" / "current").write_text("gone")
        await watched.look()
        assert (watched.swaps, watched.refused) == (0, 3)
        async with client.http.get(f"{client.url}/healthz") as answer:
            assert answer.status == 200
        assert await bids(client, "p0")

    told(story, store, plan(target=COOKS))


def test_an_audience_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ServeError, match="no active audience; `bidlab dmp activate` makes one"):
        MappedAudience(tmp_path)


def test_mistakes_at_the_start_of_a_service(store: Store, tmp_path: Path) -> None:
    make(store)
    serve = ("bidder", "serve", "learning", "--set", "people.count=100", "--audience")
    done = bidlab(tmp_path, *serve, "audience")
    assert done.code == 1
    assert (
        "--audience audience: no segment 'coffee-lovers', which the scenario names; its segments: cooks" in done.stderr
    )


def test_rows_stay_with_their_persons(store: Store, tmp_path: Path) -> None:
    make(store)
    first = Active(store)
    before = {user: first.row_ix(np.uint64(key("cookie", user))) for user in ("p0", "p1", "p2")}
    assert sorted(before.values()) == [0, 1, 2]
    refuse(store, "cookie:p2", ALL, "form", NOW_S)
    rows = [{"cookie": "new", "login": "n"}, {"cookie": "p0", "login": "n"}]
    import_source(store, write_source(tmp_path, "more", rows, ["cookie", "login"]), NOW_S)
    make(store, "new")
    second = Active(store)
    assert second.numbering == first.numbering
    for user, row in (("p0", before["p0"]), ("p1", before["p1"]), ("new", before["p0"]), ("p2", -1)):
        assert second.row_ix(np.uint64(key("cookie", user))) == row
    assert second.rows[:, 0].tolist() == [int(row == before["p0"]) for row in range(3)]


def test_room_for_people_keeps_those_there_are() -> None:
    book = build_book([plan()], DIRECTORY, people_count=3)
    book.persons["seen"][:] = [1, 2, 3]
    assert ensure_people(book, 3) is book
    more = ensure_people(book, 40)
    assert len(more.persons) >= 40
    assert more.persons["seen"].tolist()[:3] == [1, 2, 3]
    assert not more.persons["seen"][3:].any()
