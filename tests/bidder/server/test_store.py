"""The accounts on disk: whatever workers do in whatever order, nothing is spent beyond a budget and nothing twice."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from bidder.core.codes import NO_DAILY_LIMIT
from bidder.server.entries import Entry, How, Sort
from bidder.server.store import Store

HOLD_S = 10.0
DAY_S = 86400.0


class Time:
    """A clock set by hand."""

    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def open_store(folder: Path, clock: Time) -> Store:
    """A connection to the accounts in *folder*."""
    return Store(folder / "a.sqlite", clock=clock, day_ix=lambda now_s: int(now_s // DAY_S), hold_s=HOLD_S)


def billing(id_: str, owner: int, price: int, made_s: float = 0.0, no: int = 1) -> Entry:
    """A bill for a bid."""
    return Entry(Sort.BILLING, id_, owner, no, 0, 0, price, int(made_s // DAY_S), made_s)


def loss(id_: str, owner: int) -> Entry:
    """News of a bid that lost."""
    return Entry(Sort.LOSS, id_, owner, 1, 0, 0, 0, 0, 0.0)


@pytest.fixture
def clock() -> Time:
    return Time()


@pytest.fixture
def store(tmp_path: Path, clock: Time) -> Store:
    made = open_store(tmp_path, clock)
    with made.session() as session:
        session.set_budgets([("pans", 100, NO_DAILY_LIMIT)])
        assert [session.new_worker(), session.new_worker()] == [1, 2]
    return made


def test_the_minimum_to_win_is_kept_and_older_files_get_room_for_it(tmp_path: Path, store: Store, clock: Time) -> None:
    with store.session(1) as session:
        session.hear(Entry(Sort.LOSS, "1-0", 1, 1, 0, 0, 0, 0, 0.0, to_beat_nanos=77))
    assert [entry.to_beat_nanos for _, entry in store.notices()] == [77]
    with store.session() as session:
        session.execute("ALTER TABLE notices DROP COLUMN to_beat")  # as earlier versions wrote it
    for _ in range(2):
        store.add_columns()
    assert [entry.to_beat_nanos for _, entry in store.notices()] == [0]
    with store.session(1) as session:
        session.hear(Entry(Sort.LOSS, "1-1", 1, 1, 0, 0, 0, 0, 0.0, to_beat_nanos=78))
    again = open_store(tmp_path, clock)
    assert [entry.to_beat_nanos for _, entry in again.notices()] == [0, 78]


def test_leases_never_exceed_the_budget(store: Store) -> None:
    with store.session(1) as session:
        assert session.grant(1, 70) == 70
    with store.session(2) as session:
        assert (session.grant(1, 70), session.grant(1, 1)) == (30, 0)
    with store.session(1) as session:
        session.give_back(1, 50)
    with store.session(2) as session:
        assert session.grant(1, 70) == 50
    assert store.leases() == {(1, 1): 20, (2, 1): 80}


def test_a_bill_is_paid_by_its_maker_s_lease_once(store: Store) -> None:
    with store.session(1) as session:
        session.grant(1, 60)
    with store.session(2) as session:  # the bid was made by 1 and its bill came to 2
        assert session.hear(billing("1-0", 1, 25)) is How.ON_TIME
        assert session.hear(billing("1-0", 1, 25)) is How.REPEATED
    with store.session(1) as session:
        assert session.hear(billing("1-0", 1, 20)) is How.CONTRADICTED
    assert store.leases() == {(1, 1): 35}
    assert store.campaigns() == {"pans": (1, 25, False)}


def test_what_was_given_up_is_paid_from_what_nobody_holds(store: Store, clock: Time) -> None:
    with store.session(1) as session:
        session.grant(1, 60)
        session.hear(loss("1-1", 1))
        assert session.hear(billing("1-1", 1, 20)) is How.LATE  # its lease may be in use again
        assert session.hear(billing("1-1", 1, 20)) is How.REPEATED
    clock.now_s = HOLD_S
    with store.session(1) as session:
        assert session.hear(billing("1-2", 1, 21)) is How.REFUSED
        assert session.hear(billing("1-2", 1, 21)) is How.DISPUTED
        assert session.hear(billing("1-3", 1, 20)) is How.LATE
        assert session.hear(billing("1-4", 1, 1)) is How.REFUSED
    assert store.leases() == {(1, 1): 60}
    assert store.campaigns()["pans"][1] == 40


def test_the_lease_of_a_dead_worker_pays_for_its_bids_and_then_lapses(store: Store, clock: Time) -> None:
    with store.session(1) as session:
        session.grant(1, 90)
    clock.now_s = 5.0
    with store.session() as session:
        session.hold([1])
        assert session.execute("SELECT sum(nanos) FROM leases") == [(90,)]
    clock.now_s = 14.9
    with store.session(2) as session:
        session.free_held()
        assert session.grant(1, 100) == 10
        assert session.hear(billing("1-0", 1, 30, made_s=5.0)) is How.ON_TIME
    clock.now_s = 15.0
    with store.session(2) as session:
        session.free_held()
        assert session.grant(1, 100) == 60
    assert store.leases() == {(2, 1): 70}


def test_a_daily_budget_holds_across_midnight(store: Store, clock: Time) -> None:
    with store.session(1) as session:
        session.set_budgets([("pans", 100, 40)])
        assert session.grant(1, 100) == 40
        session.hear(billing("1-0", 1, 30))
        assert session.grant(1, 100) == 0
    clock.now_s = DAY_S + 1.0
    with store.session(1) as session:
        assert session.grant(1, 100) == 30  # ten are still held: they may be spent today
        assert session.hear(billing("1-1", 1, 10, made_s=DAY_S - 5.0)) is How.ON_TIME  # yesterday's
        assert session.hear(billing("1-2", 1, 30, made_s=DAY_S + 0.5)) is How.ON_TIME
    with store.session(1) as session:
        assert session.execute("SELECT day_ix, spent FROM days ORDER BY day_ix") == [(0, 40), (1, 30)]


def test_what_raises_leaves_nothing_behind(store: Store) -> None:
    def fails() -> None:
        with store.session(1) as session:
            session.grant(1, 60)
            session.hear(billing("1-0", 1, 25))
            raise LookupError

    with pytest.raises(LookupError):
        fails()
    assert (store.leases(), store.campaigns()["pans"][1], list(store.notices())) == ({}, 0, [])


def test_a_full_disk_is_an_error_and_nothing_is_half_written(store: Store) -> None:
    with store.session(1) as session:
        session.grant(1, 100)
    store.limit_pages(1)  # SQLite takes it for what the file has now

    def fill() -> None:
        for k in range(10_000):
            with store.session(1) as session:
                session.hear(billing(f"1-{k}" + "x" * 200, 1, 0))
                session.grant(1, 0)

    with pytest.raises(sqlite3.OperationalError, match="full"):
        fill()
    written = list(store.notices())
    assert 0 < len(written) < 1000
    assert [seq for seq, _ in written] == list(range(1, len(written) + 1))


NANOS = st.integers(0, 60)
BIDS = st.integers(0, 12)


class Market(RuleBasedStateMachine):
    """Workers that lease, bid, bill, lose, die and come back, with several connections and a clock that jumps."""

    folder: Path

    @initialize(total=st.integers(0, 200), daily=st.integers(0, 200))
    def begin(self, total: int, daily: int) -> None:
        """Two workers over one file."""
        self.clock = Time()
        path = self.folder / "a.sqlite"
        for left in self.folder.glob("a.sqlite*"):
            left.unlink()
        assert not path.exists()
        self.total, self.daily = total, daily
        self.stores = [open_store(self.folder, self.clock) for _ in range(2)]
        with self.stores[0].session() as session:
            session.set_budgets([("pans", total, daily)])
            self.workers = [session.new_worker() for _ in range(2)]
        self.lease = [0, 0]
        self.bids: dict[str, tuple[int, float, int]] = {}
        self.acknowledged: dict[str, int] = {}

    @rule(which=st.integers(0, 1), nanos=NANOS)
    def ask(self, which: int, nanos: int) -> None:
        """Ask for a lease."""
        with self.stores[which].session(self.workers[which]) as session:
            session.free_held()
            self.lease[which] += session.grant(1, nanos)

    @rule(which=st.integers(0, 1), nanos=NANOS)
    def give(self, which: int, nanos: int) -> None:
        """Give back what is not in use."""
        nanos = min(nanos, self.lease[which])
        self.lease[which] -= nanos
        with self.stores[which].session(self.workers[which]) as session:
            session.give_back(1, nanos)

    @rule(which=st.integers(0, 1), nanos=st.integers(1, 60))
    def bid(self, which: int, nanos: int) -> None:
        """Make a bid out of the lease; nothing of it is on disk."""
        if nanos <= self.lease[which]:
            self.lease[which] -= nanos
            worker = self.workers[which]
            self.bids[f"{worker}-{len(self.bids)}"] = (worker, self.clock.now_s, nanos)

    @rule(which=st.integers(0, 1), at=BIDS, part=st.floats(0.0, 1.0), lost=st.booleans())
    def hear(self, which: int, at: int, part: float, lost: bool) -> None:
        """A notice about some bid comes to some worker."""
        if not self.bids:
            return
        id_ = list(self.bids)[at % len(self.bids)]
        owner, made_s, nanos = self.bids[id_]
        price = int(part * nanos)
        with self.stores[which].session(self.workers[which]) as session:
            if lost:
                session.hear(loss(id_, owner))
                return
            how = session.hear(billing(id_, owner, price, made_s))
        if how in (How.REPEATED, How.DISPUTED):
            return
        if owner in self.workers and how is How.ON_TIME:  # the rest of what the bid held is free again
            self.lease[self.workers.index(owner)] += nanos - price
        self.acknowledged[id_] = 0 if how is How.REFUSED else price
        on_time = self.clock.now_s < made_s + HOLD_S
        lost_before = any(entry.id == id_ and entry.sort == Sort.LOSS for _, entry in self.stores[0].notices())
        if on_time and not lost_before:
            assert how is How.ON_TIME  # what a living or dying worker has bid is always paid for in time

    @rule(which=st.integers(0, 1))
    def die(self, which: int) -> None:
        """A worker dies with its bids in flight, and another takes its place."""
        with self.stores[which].session() as session:
            session.hold([self.workers[which]])
            self.workers[which] = session.new_worker()
        self.lease[which] = 0

    @rule(step_s=st.sampled_from([0.5, 4.0, HOLD_S, 40_000.0]))
    def wait(self, step_s: float) -> None:
        """Time passes."""
        self.clock.now_s += step_s

    @invariant()
    def nothing_is_overspent(self) -> None:
        """Budgets hold with everything that is leased, and the disk says what was acknowledged."""
        with self.stores[0].session() as session:
            leased = session.execute("SELECT coalesce(sum(nanos), 0), coalesce(min(nanos), 0) FROM leases")[0]
            days = session.execute("SELECT spent FROM days")
        spent = self.stores[0].campaigns()["pans"][1]
        assert leased[1] >= 0
        assert spent + leased[0] <= self.total
        assert all(day <= self.daily for (day,) in days)
        assert spent == sum(self.acknowledged.values()) == sum(day for (day,) in days)

    def teardown(self) -> None:
        """Close the file."""
        for made in getattr(self, "stores", []):
            made.close()


def test_no_order_of_events_breaks_a_budget(tmp_path: Path) -> None:
    class Here(Market):
        folder = tmp_path

    run_state_machine_as_test(
        Here, settings=settings(max_examples=40, stateful_step_count=40, deadline=None, derandomize=True)
    )


@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from(list(Sort))), max_size=30))
@settings(max_examples=30, deadline=None, derandomize=True)
def test_each_notice_is_on_disk_once(heard: list[tuple[int, Sort]]) -> None:
    store = Store(Path(":memory:"), clock=lambda: 0.0, day_ix=lambda _: 0, hold_s=1.0)
    with store.session(1) as session:
        session.set_budgets([("pans", 100, 100)])
        first = [session.hear(Entry(sort, str(id_), 1, 1, 0, 0, 1, 0, 0.0)) is not How.REPEATED for id_, sort in heard]
    assert sum(first) == len(set(heard)) == len(list(store.notices()))
    store.close()
