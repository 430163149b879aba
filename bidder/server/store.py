"""The accounts on disk: one SQLite file in WAL mode, written by one thread of each worker.

Money in nanos, times in s since the start of the scenario. Every change happens in a `Session`: a transaction that
holds the write lock from its first statement, reads the clock under it, and is on the disk when it ends. So sessions of
all workers stand in one order, and so do their clock readings.

The invariant, for each campaign: spent + all leases <= total, and spent today + all leases <= the daily budget. A lease
is what one worker may still commit; its bids in flight are within it.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bidder.core.codes import NO_DAILY_LIMIT
from bidder.plan import CampaignPlan
from bidder.server.entries import Entry, How, Sort

FORMAT = 2
"""Of the file. The one before had every notice and no image: it is taken over; others are refused."""
BUSY_S = 30.0
"""How long to wait for the write lock, which others hold for milliseconds."""
_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS campaigns (
    no INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, total INTEGER NOT NULL, daily INTEGER NOT NULL,
    paused INTEGER NOT NULL DEFAULT 0, spent INTEGER NOT NULL DEFAULT 0, pacing BLOB);
CREATE TABLE IF NOT EXISTS days (
    campaign INTEGER, day_ix INTEGER, spent INTEGER NOT NULL, PRIMARY KEY (campaign, day_ix)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS workers (
    no INTEGER PRIMARY KEY AUTOINCREMENT, free_s REAL, stats TEXT NOT NULL DEFAULT '');
CREATE TABLE IF NOT EXISTS leases (
    worker INTEGER, campaign INTEGER, nanos INTEGER NOT NULL, PRIMARY KEY (campaign, worker)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS covered (campaign INTEGER PRIMARY KEY, seq INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS notices (
    seq INTEGER PRIMARY KEY, sort INTEGER NOT NULL, id TEXT NOT NULL, owner INTEGER NOT NULL,
    receiver INTEGER NOT NULL, campaign INTEGER NOT NULL, person INTEGER NOT NULL, what INTEGER NOT NULL,
    nanos INTEGER NOT NULL, day_ix INTEGER NOT NULL, made_s REAL NOT NULL, how INTEGER NOT NULL, heard_s REAL NOT NULL,
    to_beat INTEGER NOT NULL DEFAULT 0, UNIQUE (id, sort));
"""
DROPPED, BIDS_UNTIL_S, CONVERSIONS_UNTIL_UNIX_S = "dropped", "bids_until_s", "conversions_until_unix_s"
"""In `meta`: the highest number of a notice that was dropped; bids made before, and conversions that had expired by,
these moments may have lost their notices."""
STRANGERS_UNTIL_S, NUMBERED_S = "strangers_until_s", "numbered_s"
"""In `meta`: people were numbered anew then; whom earlier notices are about is not known any more."""
_INSERT = """INSERT OR IGNORE INTO notices
(sort, id, owner, campaign, person, what, nanos, day_ix, made_s, how, heard_s, to_beat, receiver)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
_READ = "SELECT sort, id, owner, campaign, person, what, nanos, day_ix, made_s, how, heard_s, to_beat FROM notices"


class Behind(Exception):
    """Notices this worker has not heard of are gone from the disk: it was away for more than an hour."""


class Store:
    """A connection to the accounts. Not for two threads at once; never carried over a fork."""

    def __init__(
        self, path: Path, *, clock: Callable[[], float], day_ix: Callable[[float], int], hold_s: float
    ) -> None:
        self.folder = path.parent
        self._clock, self._day_ix, self._hold_s = clock, day_ix, hold_s
        self._db = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.executescript(_SCHEMA)

    def close(self) -> None:
        """Give the file back."""
        self._db.close()

    def add_columns(self) -> None:
        """Give notices written by an earlier version what they lack; versions before it can still use the file."""
        if "to_beat" not in {name for _, name, *_ in self._db.execute("PRAGMA table_info(notices)")}:
            self._db.execute("ALTER TABLE notices ADD COLUMN to_beat INTEGER NOT NULL DEFAULT 0")

    def limit_pages(self, pages: int) -> None:
        """Let the file not grow beyond *pages* of 4 KiB."""
        self._db.execute(f"PRAGMA max_page_count = {int(pages)}")

    @contextmanager
    def session(self, worker: int = 0) -> Iterator[Session]:
        """A transaction of *worker* (0: nobody in particular): on disk when the block ends, undone when it raises."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            session = Session(self._db, worker, self._clock(), self._day_ix, self._hold_s)
            yield session
            session.write_back()
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    @contextmanager
    def view(self) -> Iterator[None]:
        """All that is read within is as of one moment, whatever others write."""
        self._db.execute("BEGIN")
        try:
            yield
        finally:
            self._db.execute("COMMIT")

    def covered(self) -> dict[int, int]:
        """Number of the last notice the image holds, by campaign number; 0 stands for conversions."""
        return dict(self._db.execute("SELECT campaign, seq FROM covered"))

    def notices(self, after: int = 0) -> Iterator[tuple[int, Entry]]:
        """Every notice on disk after number *after*, in order, with its number."""
        rows = self._db.execute(f"SELECT seq, {_READ[7:]} WHERE seq > ? ORDER BY seq", (after,))
        for seq, *row in rows:
            yield seq, Entry(*row)

    def meta(self) -> dict[str, str]:
        """What the state folder says of itself."""
        return dict(self._db.execute("SELECT name, value FROM meta"))

    def campaigns(self) -> dict[str, tuple[int, int, bool]]:
        """Number, nanos spent and whether it is paused, by campaign id."""
        rows = self._db.execute("SELECT id, no, spent, paused FROM campaigns")
        return {id_: (no, spent, bool(paused)) for id_, no, spent, paused in rows}

    def pacing(self) -> dict[int, bytes]:
        """Where pacing stood, by campaign number."""
        return dict(self._db.execute("SELECT no, pacing FROM campaigns WHERE pacing IS NOT NULL"))

    def stats(self) -> list[tuple[int, bytes]]:
        """What living workers had to tell, by their number."""
        rows = self._db.execute("SELECT no, stats FROM workers WHERE free_s IS NULL AND length(stats) > 0")
        return [(no, bytes(stats)) for no, stats in rows]

    def leases(self) -> dict[tuple[int, int], int]:
        """Nanos by worker and campaign number."""
        return {(worker, no): n for worker, no, n in self._db.execute("SELECT worker, campaign, nanos FROM leases")}


def budgets_of(plans: Sequence[CampaignPlan]) -> list[tuple[str, int, int]]:
    """Campaign id, total and daily budget of each plan."""
    return [
        (plan.campaign_id, plan.total_nanos, NO_DAILY_LIMIT if plan.daily_nanos is None else plan.daily_nanos)
        for plan in plans
    ]


class _Account:
    """A campaign's money inside a session."""

    def __init__(self, total: int, daily: int, spent: int, leased: int) -> None:
        self.total, self.daily, self.spent, self.leased = total, daily, spent, leased
        self.days: dict[int, int] = {}
        self.changed = False


class Session:
    """What can be done to the accounts. `now_s` was read under the write lock."""

    def __init__(
        self, db: sqlite3.Connection, worker: int, now_s: float, day_ix: Callable[[float], int], hold_s: float
    ) -> None:
        self.now_s = now_s
        self._db, self._worker, self._hold_s = db, worker, hold_s
        self._today_ix = day_ix(now_s)
        self._accounts: dict[int, _Account] = {}
        self._lives: bool | None = None
        self._meta: dict[str, float] = {}

    def write_back(self) -> None:
        """Write what the accounts have come to, and look at the disk again for what follows."""
        accounts, self._accounts = self._accounts, {}
        for no, account in accounts.items():
            if account.changed:
                self._db.execute("UPDATE campaigns SET spent = ? WHERE no = ?", (account.spent, no))
                days = [(no, day_ix, spent) for day_ix, spent in account.days.items()]
                self._db.executemany("INSERT OR REPLACE INTO days VALUES (?, ?, ?)", days)

    def heard_by_others(self, after: int) -> tuple[int, list[Entry]]:
        """Number of the last notice, and those after number *after* that other workers took in; raises `Behind`."""
        last = self.last_seq()
        if last <= after:
            return last, []
        if after < self.measured(DROPPED):
            raise Behind(f"notices after {after} are dropped already")
        rows = self._db.execute(f"{_READ} WHERE seq > ? AND receiver <> ? ORDER BY seq", (after, self._worker))
        return last, [Entry(*row) for row in rows]

    def last_seq(self) -> int:
        """Number of the last notice."""
        return int(self._db.execute("SELECT coalesce(max(seq), 0) FROM notices").fetchone()[0])

    def hear(self, entry: Entry) -> How:
        """Take in a notice, once. A billing is paid for by the lease of the bid's maker, or by what nobody holds."""
        entry.heard_s = self.now_s
        if self._may_be_dropped(entry) and not self._has(entry.id, entry.sort):
            return How.FORGOTTEN
        if entry.sort == Sort.BILLING:
            known = "SELECT how, nanos FROM notices WHERE id = ? AND sort = ?"
            for how, nanos in self._db.execute(known, (entry.id, entry.sort)):
                if how == How.REFUSED:
                    return How.DISPUTED
                return How.REPEATED if nanos == entry.nanos else How.CONTRADICTED
            entry.how = self._charge(entry)
        done = self._db.execute(
            _INSERT,
            (
                *(entry.sort, entry.id, entry.owner, entry.campaign_no, entry.person_ix, entry.what_ix, entry.nanos),
                *(entry.day_ix, entry.made_s, int(entry.how), entry.heard_s, entry.to_beat_nanos, self._worker),
            ),
        )
        return How(entry.how) if done.rowcount else How.REPEATED

    def _may_be_dropped(self, entry: Entry) -> bool:
        """Whether a notice like this may have been heard and dropped: then nobody knows whether it repeats one."""
        if entry.sort == Sort.CONVERSION:
            return 0.0 < entry.made_s <= self.measured(CONVERSIONS_UNTIL_UNIX_S)
        return entry.made_s < self.measured(BIDS_UNTIL_S)

    def _charge(self, entry: Entry) -> How:
        account = self._account(entry.campaign_no)
        if account is None:
            return How.REFUSED
        how = self._pay(entry, account)
        if how is not How.REFUSED:
            account.spent += entry.nanos
            account.days[entry.day_ix] = self._spent_on(entry.campaign_no, account, entry.day_ix) + entry.nanos
            account.changed = True
        return how

    def _pay(self, entry: Entry, account: _Account) -> How:
        if entry.made_s + self._hold_s > self.now_s and not self._has(entry.id, Sort.LOSS):
            key = (entry.nanos, entry.campaign_no, entry.owner, entry.nanos)
            paid = self._db.execute(
                "UPDATE leases SET nanos = nanos - ? WHERE campaign = ? AND worker = ? AND nanos >= ?", key
            )
            if paid.rowcount:
                account.leased -= entry.nanos
                return How.ON_TIME
        if entry.nanos > self._room(entry.campaign_no, account):
            return How.REFUSED
        entry.day_ix = self._today_ix
        return How.LATE

    def grant(self, campaign_no: int, wish_nanos: int) -> int:
        """Add up to *wish_nanos* to the worker's lease; returns how much. Nothing for one that was declared gone."""
        account = self._account(campaign_no)
        if self._lives is None:
            row = self._db.execute("SELECT 1 FROM workers WHERE no = ? AND free_s IS NULL", (self._worker,)).fetchone()
            self._lives = row is not None
        room = 0 if account is None or not self._lives else self._room(campaign_no, account)
        granted = max(0, min(wish_nanos, room))
        if account is not None and granted:
            account.leased += granted
            self._lend(campaign_no, granted)
        return granted

    def give_back(self, campaign_no: int, nanos: int) -> None:
        """Take *nanos* off the worker's lease; it has stopped using them before."""
        account = self._account(campaign_no)
        assert account is not None
        account.leased -= nanos
        self._lend(campaign_no, -nanos)

    def _lend(self, campaign_no: int, nanos: int) -> None:
        self._db.execute(
            "INSERT INTO leases VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET nanos = nanos + excluded.nanos",
            (self._worker, campaign_no, nanos),
        )

    def new_worker(self) -> int:
        """Number of a worker that begins now; never given twice."""
        return int(self._db.execute("INSERT INTO workers DEFAULT VALUES").lastrowid or 0)

    def hold(self, workers: Sequence[int] | None = None, *, idle: bool = False) -> None:
        """These workers (None: all) are gone. What they held stays held until their last bids are too old to win;
        with *idle* nothing of it was in flight, and it is free at once."""
        free_s = self.now_s + (0.0 if idle else self._hold_s)
        if workers is None:
            self._db.execute("UPDATE workers SET free_s = ? WHERE free_s IS NULL", (free_s,))
        else:
            self._db.executemany("UPDATE workers SET free_s = ? WHERE no = ?", [(free_s, no) for no in workers])
        self.free_held()

    def free_held(self) -> None:
        """End the leases of workers that have been gone for long enough."""
        for (no,) in self._db.execute("SELECT no FROM workers WHERE free_s <= ?", (self.now_s,)).fetchall():
            self._db.execute("DELETE FROM leases WHERE worker = ?", (no,))
            self._db.execute("DELETE FROM workers WHERE no = ?", (no,))
            self.write_back()

    def set_budgets(self, budgets: Sequence[tuple[str, int, int]]) -> dict[str, int]:
        """Total and daily budget by campaign id, from now on; campaigns not known yet are taken in. Returns their
        numbers."""
        self.write_back()
        self._db.executemany(
            "INSERT INTO campaigns (id, total, daily) VALUES (?, ?, ?) "
            "ON CONFLICT (id) DO UPDATE SET total = excluded.total, daily = excluded.daily",
            budgets,
        )
        return dict(self._db.execute("SELECT id, no FROM campaigns"))

    def change_budgets(self, budgets: Sequence[tuple[str, int, int]]) -> tuple[dict[str, int], dict[str, int]]:
        """`set_budgets`, and by how much campaigns are overdrawn by it: what workers hold and cannot spend now."""
        numbers = self.set_budgets(budgets)
        overdrawn = {}
        for id_, _, _ in budgets:
            account = self._account(numbers[id_])
            assert account is not None
            overdrawn[id_] = max(0, -self._room(numbers[id_], account))
        return numbers, overdrawn

    def set_pacing(self, told: Sequence[tuple[bytes, int]]) -> None:
        """Where pacing stands, each with a campaign's number."""
        self._db.executemany("UPDATE campaigns SET pacing = ? WHERE no = ?", told)

    def set_stats(self, stats: bytes) -> None:
        """What the worker has to tell the others."""
        self._db.execute("UPDATE workers SET stats = ? WHERE no = ?", (stats, self._worker))

    def paused(self) -> frozenset[str]:
        """Ids of paused campaigns."""
        return frozenset(id_ for (id_,) in self._db.execute("SELECT id FROM campaigns WHERE paused"))

    def counted(self, name: str) -> int:
        """A counter all workers see."""
        row = self._db.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return 0 if row is None else int(row[0])

    def count_up(self, name: str) -> int:
        """Count it up by one."""
        self.set_meta(name, str(self.counted(name) + 1))
        return self.counted(name)

    def set_paused(self, campaign_id: str, paused: bool) -> None:
        """Pause a campaign or let it go on."""
        self._db.execute("UPDATE campaigns SET paused = ? WHERE id = ?", (int(paused), campaign_id))

    def set_meta(self, name: str, value: str) -> None:
        """Write down what the folder says of itself."""
        self._meta.pop(name, None)
        self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, value))

    def execute(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """Any other statement."""
        return self._db.execute(statement, values).fetchall()

    def measured(self, name: str) -> float:
        """A number among what the folder says of itself; minus infinity: it says nothing."""
        if name not in self._meta:
            row = self._db.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
            self._meta[name] = -math.inf if row is None else float(row[0])
        return self._meta[name]

    def _has(self, id_: str, sort: int) -> bool:
        found = self._db.execute("SELECT 1 FROM notices WHERE id = ? AND sort = ?", (id_, int(sort)))
        return found.fetchone() is not None

    def _account(self, no: int) -> _Account | None:
        account = self._accounts.get(no)
        if account is None:
            row = self._db.execute("SELECT total, daily, spent FROM campaigns WHERE no = ?", (no,)).fetchone()
            if row is None:
                return None
            total, daily, spent = row
            account = self._accounts[no] = _Account(total, daily, spent, self._leased(no))
        return account

    def _leased(self, no: int) -> int:
        rows = self._db.execute("SELECT coalesce(sum(nanos), 0) FROM leases WHERE campaign = ?", (no,))
        return int(rows.fetchone()[0])

    def _spent_on(self, no: int, account: _Account, day_ix: int) -> int:
        if day_ix not in account.days:
            row = self._db.execute("SELECT spent FROM days WHERE campaign = ? AND day_ix = ?", (no, day_ix)).fetchone()
            account.days[day_ix] = 0 if row is None else row[0]
        return account.days[day_ix]

    def _room(self, no: int, account: _Account) -> int:
        """What neither is spent nor held by anybody, of the total and of today's budget."""
        today = account.daily - self._spent_on(no, account, self._today_ix)
        return min(account.total - account.spent, today) - account.leased
