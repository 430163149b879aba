"""Old notices give way to an image of the book: whoever starts from it knows and refuses what the others would."""

from __future__ import annotations

import asyncio
import contextlib
import random
import sqlite3
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bidder.build import build_book
from bidder.core.codes import NO_DAILY_LIMIT
from bidder.core.settle import reserve
from bidder.desk import REMEMBER_S, Desk
from bidder.errors import ServeError
from bidder.image import EXPOSURE, exposures_of, picture
from bidder.plan import BidPlan, CampaignPlan, CapPlan
from bidder.server.compaction import GRACE_S
from bidder.server.durable import Durable
from bidder.server.entries import Entry, How, Sort
from bidder.server.images import cover, decoded, drop, encoded, name_of, remove_others, write_image
from bidder.server.store import Behind
from tests.bidder.server.test_durable import Client, priced, served, state_of
from tests.bidder.server.test_store import Time, billing, open_store
from tests.bidder.test_desk import CPM, DIRECTORY, People, plan
from tests.patience import until

BIG = 10_000 * CPM
KEEP_S = REMEMBER_S + GRACE_S
HOUR_S = 3600.0
PLANS = (
    plan(total_nanos=BIG, caps=(CapPlan(3, 7200.0, True),), learned=True, ctr=0.1, prior_impressions=10.0),
    plan(
        campaign_id="pots",
        total_nanos=BIG,
        goal="cpc",
        goal_value_nanos=9.0 * CPM,
        learned=True,
        ctr=0.05,
        cvr=0.01,
        method="model",
        prior_impressions=20.0,
        bid=BidPlan("truthful", 1.0),
        lookback_s=9000.0,
    ),
)
ALL = [1, 2]


class Accounts:
    """A folder's accounts and the desk of the worker that follows them."""

    def __init__(self, folder: Path, clock: Time) -> None:
        folder.mkdir()
        self.clock, self.store = clock, open_store(folder, clock)
        self.store._db.execute("PRAGMA synchronous = OFF")  # no machine stops here
        with self.store.session() as session:
            session.set_budgets([(each.campaign_id, BIG, NO_DAILY_LIMIT) for each in PLANS])
            session.set_meta("began_s", "1e9")
        self.start(PLANS)

    def start(self, plans: tuple[CampaignPlan, ...]) -> None:
        """A worker that has nothing but the disk."""
        self.plans = plans
        book = build_book(plans, DIRECTORY, people_count=3)
        self.desk = Desk(book, plans, DIRECTORY, People(), clock=self.clock, reservation_s=10.0)
        self.numbers = [1 + PLANS.index(each) for each in plans]
        self.accounts = Durable(self.desk, plans, self.store, 1)

    def hear(self, entry: Entry) -> How:
        """Take a notice in."""
        entry = msgspec.structs.replace(entry)
        with self.store.session(1) as session:
            how = session.hear(entry)
        if how not in (How.REPEATED, How.DISPUTED, How.FORGOTTEN):
            self.accounts._apply(entry)
        return how

    def compact(self) -> None:
        """Make an image and drop what can be dropped."""
        before = self.store.meta().get("image", "")
        image = picture(self.desk.book, self.plans, self.numbers, DIRECTORY)
        seen = exposures_of(self.desk.book, slice(0, 3), self.numbers, self.clock.now_s)
        image.exposures = seen.tobytes()
        with self.store.session() as session:
            seq = session.last_seq()
        name = name_of(seq, 1)
        write_image(self.store.folder, name, image, self.numbers, before)
        with self.store.session() as session:
            assert cover(session, name, self.numbers, seq, before)
        remove_others(self.store.folder, name)
        self.sweep()

    def sweep(self) -> None:
        """Drop what can be dropped."""
        after: int | None = 0
        while after is not None:
            with self.store.session(1) as session:
                after = drop(session, after, KEEP_S)

    def rows(self) -> int:
        """Notices on disk."""
        return len(list(self.store.notices()))

    def known(self) -> dict[str, Any]:
        """What the book knows, wherever it keeps it."""
        rows = self.desk.book.campaigns
        seen = exposures_of(self.desk.book, slice(0, 3), self.numbers, self.clock.now_s)
        return {
            **{name: rows[name].tolist() for name in ("spent_nanos", "wins", "clicks", "conversions")},
            "value": rows["conversion_nanos"].tolist(),
            "total": rows["total_nanos"].tolist(),
            "cells": self.desk.book.cells[:, :, 2:6].tolist(),
            "learners": self.desk.book.learners.tolist(),
            "weights": self.desk.book.weights.tolist(),
            "seen": Counter(seen.tolist()),
        }


def entries() -> st.SearchStrategy[Entry]:
    """Notices of a few bids, again and again."""
    return st.builds(
        lambda sort, id_, no, person, nanos: (sort, id_, no, person, nanos),
        st.sampled_from([Sort.BILLING, Sort.BILLING, Sort.LOSS, Sort.CLICK, Sort.CONVERSION]),
        st.integers(0, 30),
        st.integers(1, 2),
        st.integers(-1, 2),
        st.integers(0, 3 * CPM),
    )


STEPS = st.lists(
    st.one_of(
        entries(),
        st.sampled_from([1.0, 600.0, HOUR_S, 3 * HOUR_S]),
        st.sampled_from(["compact", "compact", "sweep", "restart", "restart with one"]),
    ),
    max_size=30,
)


def as_entry(told: tuple[Sort, int, int, int, int], now_s: float) -> Entry:
    """The notice: bids are made in the hour of their number."""
    sort, id_, no, person_ix, nanos = told
    if sort is Sort.CONVERSION:
        return Entry(sort, f"c{id_}", 0, -1, max(person_ix, 0), 0, nanos, 0, 1e9 + 1800.0 * id_)
    return Entry(sort, f"1-{id_}-{no}", 1, no, person_ix, 0, nanos, 0, min(900.0 * id_, now_s))


@given(STEPS)
@settings(max_examples=20, deadline=None, derandomize=True)
def test_who_starts_from_an_image_knows_what_all_notices_tell(
    tmp_path_factory: pytest.TempPathFactory, steps: list[Any]
) -> None:
    """One folder compacts whenever it is told to, the other never: same answers (but for notices that may have been
    dropped), same money, same book."""
    clock, folder = Time(), tmp_path_factory.mktemp("folders")
    whole, small = Accounts(folder / "whole", clock), Accounts(folder / "small", clock)
    made: dict[str, float] = {}
    if "restart with one" in steps:  # whom a purchase is credited to depends on who is there when it is told
        steps = [each for each in steps if not (isinstance(each, tuple) and each[0] == Sort.CONVERSION)]
    for step in steps:
        if isinstance(step, float):
            clock.now_s += step
        elif isinstance(step, tuple):
            clock.now_s += 0.25
            entry = as_entry(step, clock.now_s)
            if entry.sort != Sort.CONVERSION:
                entry.made_s = made.setdefault(entry.id, entry.made_s)
            how = small.hear(entry)
            if how is How.FORGOTTEN:  # too old for its URL, so the service would not even ask
                lives_until = entry.made_s - 1e9 if entry.sort == Sort.CONVERSION else entry.made_s + REMEMBER_S
                assert lives_until < clock.now_s
            else:
                assert whole.hear(entry) is how
        elif step == "compact":
            small.compact()
        elif step == "sweep":
            small.sweep()
        else:
            plans = PLANS if step == "restart" else PLANS[1:]
            whole.start(plans)
            small.start(plans)
    whole.start(PLANS)
    small.start(PLANS)
    assert small.store.campaigns() == whole.store.campaigns()
    known = small.known()
    for name, value in whole.known().items():
        if name in ("learners", "weights"):
            np.testing.assert_allclose(known[name], value, rtol=1e-12)
        elif name == "seen":
            assert known[name] == value
        else:
            assert known[name] == value, name
    for each in (whole, small):
        each.store.close()


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Accounts]:
    made = Accounts(tmp_path / "folder", Time())
    yield made
    made.store.close()


def test_many_times_as_many_notices_do_not_make_the_file_as_many_times_larger(here: Accounts) -> None:
    """What is kept is an hour of notices and the book, whatever came before."""
    sizes, luck = [], random.Random(1)
    for hour in range(12):
        for k in range(60):
            here.clock.now_s = hour * HOUR_S + k * 60.0
            with here.store.session(1) as session:
                for j in range(10):
                    entry = billing(f"1-{hour}-{k}-{j}", 1, 1, here.clock.now_s)
                    entry.person_ix = luck.randrange(3)
                    session.hear(entry)
                    here.accounts._apply(entry)
        here.compact()
        here.store._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        sizes.append(sum(path.stat().st_size for path in here.store.folder.iterdir()))
    assert here.rows() <= 620
    assert sizes[-1] < 1.3 * sizes[2]
    here.start(PLANS)
    assert here.desk.book.campaigns["spent_nanos"][0] == here.store.campaigns()["pans"][1] == 7200
    assert here.desk.book.campaigns["wins"][0] == 7200


def test_what_may_have_been_dropped_is_not_taken_again_whatever_the_clocks_say(here: Accounts) -> None:
    bill, late = billing("1-0", 1, 5, made_s=3.0), billing("1-1", 1, 5, made_s=3.0)
    sold = Entry(Sort.CONVERSION, "sale", 0, -1, 0, 0, 9, 0, 1e9 + 60.0)
    here.clock.now_s = 4.0
    assert (here.hear(bill), here.hear(sold)) == (How.LATE, How.NOTED)
    here.clock.now_s = KEEP_S + 5.0
    here.hear(billing("1-2", 1, 5, made_s=KEEP_S + 4.0))
    here.compact()
    assert here.rows() == 1
    here.clock.now_s = 5.0  # somebody has set a clock back: the URLs seem to live
    for entry in (bill, late, sold):
        assert here.hear(entry) is How.FORGOTTEN
    assert here.hear(Entry(Sort.CONVERSION, "another", 0, -1, 0, 0, 9, 0, 2e9)) is How.NOTED
    assert here.store.campaigns()["pans"][1] == 10


def test_the_last_notice_keeps_its_number(here: Accounts) -> None:
    """Else the next one would take it, and who has heard all up to it would miss that."""
    here.hear(billing("1-0", 1, 5))
    here.clock.now_s = 3 * KEEP_S
    here.compact()
    assert [seq for seq, _ in here.store.notices()] == [1]
    here.hear(billing("1-1", 1, 5, made_s=here.clock.now_s))
    assert [seq for seq, _ in here.store.notices()] == [1, 2]
    here.sweep()
    assert [seq for seq, _ in here.store.notices()] == [2]


def test_a_worker_that_was_away_too_long_does_not_go_on(here: Accounts) -> None:
    for k in range(3):
        here.hear(billing(f"1-{k}", 1, 5))
    here.clock.now_s = 3 * KEEP_S
    here.compact()
    with here.store.session(2) as session:
        assert session.heard_by_others(2)[0] == 3
    with pytest.raises(Behind), here.store.session(2) as session:
        session.heard_by_others(1)


def test_a_campaign_that_comes_back_is_as_it_was(here: Accounts) -> None:
    """An image made without it keeps what the one before knew of it, and its later notices stay on disk."""
    for k in range(4):
        here.hear(billing(f"1-{k}", 1, 5, no=1 + k % 2))
    here.compact()
    here.start(PLANS[1:])
    here.clock.now_s = 10.0
    here.hear(billing("1-8", 1, 7, made_s=9.0, no=1))
    here.compact()
    here.clock.now_s = 2 * KEEP_S
    here.hear(billing("1-9", 1, 7, made_s=here.clock.now_s, no=2))
    here.compact()
    assert here.rows() == 2  # the last, and the one no image holds
    here.start(PLANS)
    rows = here.desk.book.campaigns
    assert rows["spent_nanos"].tolist() == [17, 17]
    assert rows["wins"].tolist() == [3, 3]


def test_an_image_that_is_damaged_or_missing_is_told(here: Accounts) -> None:
    here.hear(billing("1-0", 1, 5))
    here.compact()
    (path,) = here.store.folder.glob("book-*.image")
    data = path.read_bytes()
    assert encoded(decoded(data)) == data
    path.write_bytes(data[:-1])
    with pytest.raises(ServeError, match="is damaged"):
        here.start(PLANS)
    path.unlink()
    with pytest.raises(ServeError, match="is missing; restore the whole folder"):
        here.start(PLANS)


@pytest.mark.parametrize("dies_at", ["written", "renamed", "named", "removed", "half dropped"])
def test_a_death_at_any_moment_of_it_changes_nothing(tmp_path: Path, dies_at: str) -> None:
    """What lies on the disk then, opened by the next process."""
    here = Accounts(tmp_path / "folder", Time())
    for k in range(9):
        here.hear(billing(f"1-{k}", 1, 5, made_s=0.0, no=1 + k % 2))
        if k == 2:
            here.compact()
    known, folder, before = here.known(), here.store.folder, here.store.meta()["image"]
    image = picture(here.desk.book, PLANS, ALL, DIRECTORY)
    image.exposures = exposures_of(here.desk.book, slice(0, 3), ALL, 0.0).tobytes()
    write_image(folder, "book-9-1.image", image, ALL, before)
    if dies_at == "written":
        (folder / "book-9-1.image").rename(folder / "book-9-1.image.new")
    elif dies_at != "renamed":
        with here.store.session() as session:
            assert cover(session, "book-9-1.image", ALL, 9, before)
            assert not cover(session, "book-8-2.image", ALL, 8, before)  # another worker came too late
    if dies_at in ("removed", "half dropped"):
        remove_others(folder, "book-9-1.image")
    if dies_at == "half dropped":
        here.clock.now_s = KEEP_S + 1.0
        with contextlib.suppress(InterruptedError), here.store.session(1) as session:
            assert drop(session, 0, KEEP_S) is None
            assert session.execute("SELECT count(*) FROM notices") == [(1,)]
            raise InterruptedError
        here.clock.now_s = 0.0
    here.store.close()
    here.store = open_store(folder, here.clock)
    here.start(PLANS)
    assert here.known() == known
    assert [here.hear(billing(f"1-{k}", 1, 5, no=1 + k % 2)) for k in range(9)] == [How.REPEATED] * 9
    here.store.close()


def test_a_running_service_compacts_and_the_next_one_goes_on_from_it(tmp_path: Path) -> None:
    plans = (plan(total_nanos=BIG, daily_nanos=BIG, caps=(CapPlan(100, 3600.0, True),)),)

    async def first(client: Client) -> None:
        accounts = client.service.accounts
        assert isinstance(accounts, Durable)
        for images in (1, 2):
            bids = [await client.bid() for _ in range(20)]
            told = await asyncio.gather(*(client.get(priced(bid["burl"])) for bid in bids))
            assert set(told) == {204}
            await until(lambda: accounts._compaction.made >= images)  # noqa: B023  over before the next turn
        bid = await client.bid()
        assert await client.get(priced(bid["burl"])) == 204

    before = served(tmp_path, first, *plans, compact_after=20).desk.book
    assert len(list(tmp_path.glob("book-*.image"))) == 1
    ((covered,),) = sqlite3.connect(tmp_path / "accounts.sqlite").execute("SELECT max(seq) FROM covered")
    assert covered >= 40

    async def second(client: Client) -> None:
        book = client.desk.book
        for name in ("spent_nanos", "spent_day_nanos", "wins", "day_ix"):
            np.testing.assert_array_equal(before.campaigns[name], book.campaigns[name])
        assert book.persons["count"].tolist() == before.persons["count"].tolist()
        assert (await client.bid())["price"] == 2.0

    served(tmp_path, second, *plans)


def test_a_folder_of_the_version_before_is_taken_over(tmp_path: Path) -> None:
    state = state_of(tmp_path, PLANS[0])
    store = state.open()
    with store.session(1) as session:
        session.set_meta("format", "1")
        session.execute("DROP TABLE covered")
        session.hear(billing("1-0", 1, 5))
    store.close()
    state.close()
    state = state_of(tmp_path, PLANS[0])
    store = state.open()
    assert (store.meta()["format"], store.covered()) == ("2", {})
    store.close()
    state.close()


def test_exposures_are_read_by_people_and_none_is_in_flight(here: Accounts) -> None:
    for person_ix in (0, 2):
        entry = billing(f"1-{person_ix}", 1, 5)
        entry.person_ix = person_ix
        here.hear(entry)
    reserve(here.desk.book, 0, 2, 0, 5, 1.0)
    reserve(here.desk.book, 1, 2, 0, 5, 1.0)  # of a campaign that has come while people were copied
    seen = [exposures_of(here.desk.book, part, ALL[:1], 1.0) for part in (slice(0, 2), slice(2, 4))]
    assert [each["person_ix"].tolist() for each in seen] == [[0], [2]]
    assert seen[0].dtype == EXPOSURE
    assert len(exposures_of(here.desk.book, slice(0, 4), ALL, 1e9)) == 0  # too old to matter
