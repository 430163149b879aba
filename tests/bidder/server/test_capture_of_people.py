"""A capture of a bidder on an audience: nothing of the audience is needed to repeat it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bidder.build import build_book
from bidder.desk import Desk
from bidder.errors import CaptureError
from bidder.plan import BidPlan, CapPlan, TargetPlan
from bidder.server.capture import Capture, Verified, digest, verify
from bidder.server.captured import Header
from bidder.server.captured import People as Told
from bidder.server.people import MappedAudience, People
from bidder.server.recorded import Recorded
from dmp.sources.importer import import_source
from dmp.store import Store
from openrtb.notices import Conversion
from tests.bidder.server.test_app import Client, serving
from tests.bidder.server.test_durable import priced
from tests.bidder.server.test_newer_audiences import NOW_S, make
from tests.bidder.server.test_newer_audiences import store as store
from tests.bidder.test_desk import CPM, DIRECTORY, Clock, plan
from tests.dmp.people import write_source

BIG = 1000 * CPM
PLANS = (
    plan(total_nanos=BIG, caps=(CapPlan(1, 86400.0, True),)),
    plan(campaign_id="cooks", total_nanos=BIG, target=TargetPlan(any_segments=("cooks",)), goal_value_nanos=3.0 * CPM),
    plan(
        campaign_id="model",
        total_nanos=BIG,
        goal="cpc",
        goal_value_nanos=15.0 * CPM,
        learned=True,
        ctr=0.1,
        cvr=0.01,
        method="model",
        prior_impressions=20.0,
        bid=BidPlan("truthful", 1.0),
    ),
)


NOBODY = Recorded(Told([], 1, 1))


def desk_on(audience: Any, make_desk: Callable[..., Desk], clock: Callable[[], float]) -> Desk:
    """A desk for the plans above."""
    book = build_book(PLANS, DIRECTORY, people_count=len(audience.rows), held=audience.rows)
    return make_desk(book, PLANS, DIRECTORY, audience, clock=clock, reservation_s=30.0)


def again(header: Header, clock: Callable[[], float], people: Recorded | None) -> Desk:
    """A fresh desk for a capture of it."""
    assert people is not None
    return desk_on(people, Desk, clock)


def verified(path: Path) -> Verified:
    """The outcome of repeating a capture."""
    return asyncio.run(verify(path, again))


async def buy(client: Client, user: str, *, click: bool) -> str:
    """Win an impression of this user; whose ad it shows."""
    bid = await client.bid(user={"id": user})
    assert await client.get(priced(bid["burl"], str(bid["price"]))) == 204
    if click:
        assert await client.get(bid["ext"]["bidlab_click"]) == 204
    return str(bid["cid"])


@pytest.fixture
def captured(store: Store, tmp_path: Path) -> tuple[Path, str]:
    """The file and the final book's digest: versions come and go while people are sold to."""
    make(store, "p0")
    audience, path, clock = MappedAudience(store.folder), tmp_path / "calls.jsonl", Clock()
    capture = Capture(path, Header("", people=Told(list(audience.segments), *audience.rows.shape)))
    desk = desk_on(audience, capture.desk, clock)

    async def main() -> None:
        async with serving(desk) as client:
            people = client.service.people = People(desk, audience)
            for number, cook in enumerate(("p0", "p1", "p2")):
                if number:
                    rows = [{"cookie": f"a{k}"} for k in range(1000 * number)]
                    import_source(store, write_source(tmp_path, f"t{number}", rows, ["cookie"]), NOW_S)
                    make(store, cook)
                    await people.look()
                assert people.swaps == number
                shown.append([await buy(client, user, click=user == "p1") for user in ("p0", "p1", "stranger")])
                clock.now_s += 1.0
            sold = Conversion("order", DIRECTORY.products[0], "p1", 12.0)
            url = f"{client.url}/openrtb2/notice/conversion?{client.service._signer.conversion_query(sold, 60.0)}"
            assert await client.get(url) == 204

    shown: list[list[str]] = []
    asyncio.run(main())
    assert shown == [["cooks", "pans", "model"], ["pans", "cooks", "model"], ["model", "model", "model"]]
    capture.close()
    return path, digest(desk.book)


def test_it_is_reproduced_without_the_audience(captured: tuple[Path, str], store: Store) -> None:
    path, book = captured
    held = verified(path)
    assert held.complete
    assert (held.requests, held.bids, held.notices) == (9, 9, 13)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert lines[-1]["book"] == book
    kinds = [line["type"] for line in lines]
    assert (kinds.count("audience"), kinds.count("person")) == (2, 2)  # of three thousand


@pytest.mark.parametrize("part", ["person", "audience"])
def test_what_is_known_of_people_matters(captured: tuple[Path, str], part: str) -> None:
    path, _ = captured
    lines = [line for line in path.read_text().splitlines() if json.loads(line)["type"] != part]
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(CaptureError, match="differs"):
        verified(path)


def test_people_nobody_announced(captured: tuple[Path, str]) -> None:
    path, _ = captured
    header, *lines = path.read_text().splitlines()
    path.write_text("\n".join([json.dumps({**json.loads(header), "people": None}), *lines]) + "\n")
    with pytest.raises(CaptureError, match=r"calls\.jsonl:2: is about people of an audience, which the header"):
        asyncio.run(verify(path, lambda header, clock, people: desk_on(NOBODY, Desk, clock)))
