"""The state folder of a service: who uses it, its keys, its clock and its accounts. Times in s.

| file | holds |
|---|---|
| `accounts.sqlite` | money and notices, see `bidder.server.store` |
| `book-….image` | what older notices have come to, see `bidder.server.images` |
| `notice.key` | what notice URLs are signed with |
| `conversion.key` | what advertisers sign conversions with |
| `lock` | held by whoever serves |
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import math
import os
import secrets
import sqlite3
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bidder.core.codes import DAY_S
from bidder.errors import ServeError
from bidder.plan import CampaignPlan, Directory
from bidder.server.images import move_people, remove_others
from bidder.server.numbering import number_people
from bidder.server.store import FORMAT, Store, budgets_of

MovedFrom = Callable[[str], NDArray[np.int32] | None]
"""int32[rows]: where those numbered by this name are now, below 0 for those who are gone; None: not known."""


class State:
    """The folder *path*, taken for this process and those it starts. Raises `ServeError` when it cannot be used.

    *market* names what a notice's numbers refer to; *start_of_day_s* is the second of the day at which time 0 lies.
    """

    def __init__(self, path: Path, market: str, *, start_of_day_s: int, hold_s: float) -> None:
        self._path, self._start_of_day_s, self._hold_s = path, start_of_day_s, hold_s
        try:
            path.mkdir(parents=True, exist_ok=True)
            self._lock = _locked(path)
            try:
                self.notice_key = _key(path / "notice.key")
                self.conversion_key = _key(path / "conversion.key")
                self._base_s = self._prepare(market)
            except BaseException:
                self.close()
                raise
        except (OSError, sqlite3.Error) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise ServeError(f"--state {path}: cannot be used ({reason}); choose another folder") from None

    def clock(self) -> float:
        """Seconds since the scenario began, that is, since the folder was first used; the same in all processes."""
        return time.monotonic() + self._base_s

    def open(self, clock: Callable[[], float] | None = None) -> Store:
        """A connection to the accounts."""
        return Store(self._path / "accounts.sqlite", clock=clock or self.clock, day_ix=self.day_ix, hold_s=self._hold_s)

    def day_ix(self, now_s: float) -> int:
        """The calendar day, as `bidder.core.clock` counts them."""
        return math.floor((now_s + self._start_of_day_s) / DAY_S)

    def _prepare(self, market: str) -> float:
        """Check whose folder it is, end what earlier processes held, and return what makes the clock go on."""
        store = self.open(lambda: 0.0)
        try:
            meta = store.meta()
            if meta.get("format", str(FORMAT)) not in ("1", str(FORMAT)):
                raise ServeError(f"--state {self._path}: is of another version of bidlab; choose another folder")
            if meta.get("market", market) != market:
                raise ServeError(
                    f"--state {self._path}: belongs to a scenario with other slots, products, people or start; "
                    "choose another folder"
                )
            store.add_columns()
            with store.session() as session:
                began_s = float(meta.get("began_s", time.time()))
                for name, value in (("format", str(FORMAT)), ("market", market), ("began_s", repr(began_s))):
                    session.set_meta(name, value)
                last = session.execute("SELECT heard_s FROM notices ORDER BY seq DESC LIMIT 1")
            remove_others(self._path, meta.get("image", ""))
        finally:
            store.close()
        # A wall clock that was set back must not make what has been heard lie in the future.
        return max(time.time() - began_s, *(float(last_s) for (last_s,) in last), 0.0) - time.monotonic()

    def close(self) -> None:
        """Leave the folder to others."""
        os.close(self._lock)

    def begin(
        self, plans: Sequence[CampaignPlan], numbering: str = "", moved_from: MovedFrom = lambda before: None
    ) -> bool:
        """Take *plans* in and hold what processes before this one held. *numbering* names which person is in which
        row; where it is another one than before, *moved_from* is asked where those of before are now. Returns whether
        it does not know either, so that nobody knows who has seen what."""
        store = self.open()
        try:
            before, image, moved = store.meta().get("numbering", numbering), "", None
            if before != numbering:
                moved = moved_from(before)
            if moved is not None:
                image = move_people(store, moved)
            with store.session() as session:
                session.hold()
                session.set_budgets(budgets_of(plans))
                unknown = number_people(session, numbering, None if moved is None else moved.tolist())
                if image:
                    session.set_meta("image", image)
            if image:
                remove_others(self._path, image)
            return unknown
        finally:
            store.close()

    def new_worker(self) -> int:
        """A worker's number."""
        store = self.open()
        try:
            with store.session() as session:
                return session.new_worker()
        finally:
            store.close()

    def spent(self) -> dict[str, int]:
        """Nanos spent by campaign id."""
        store = self.open()
        try:
            return {id_: spent for id_, (_, spent, _) in store.campaigns().items()}
        finally:
            store.close()

    def bury(self, worker: int) -> None:
        """Hold what a worker that is gone held."""
        store = self.open()
        try:
            with store.session() as session:
                session.hold([worker])
        finally:
            store.close()


def market_of(directory: Directory, people: int | str, start: tuple[int, int]) -> str:
    """Name of everything the numbers in a notice refer to, campaigns aside; *people*: how many, or whose."""
    told = [directory.slots, directory.products, people, start]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:16]


def _locked(path: Path) -> int:
    """The lock's descriptor; processes started from here share it, so the folder is free when the last one is gone."""
    lock = os.open(path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        raise ServeError(f"--state {path}: another service uses it; stop that one or choose another folder") from None
    return lock


def _key(path: Path) -> bytes:
    """The key in the file; made when there is none."""
    try:
        return read_key(path)
    except FileNotFoundError:
        fresh = path.with_suffix(".new")
        with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="ascii") as file:
            file.write(secrets.token_hex(32) + "\n")
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
        return read_key(path)


def read_key(path: Path) -> bytes:
    """The key in the file; raises `OSError`, and `ServeError` when it holds none."""
    try:
        key = bytes.fromhex(path.read_text("ascii").strip())
    except ValueError:
        raise ServeError(
            f"{path}: is no key of hexadecimal digits; restore it, or remove it to have a new one"
        ) from None
    if len(key) < 16:
        raise ServeError(f"{path}: is no key of 16 bytes or more; restore it, or remove it to have a new one")
    return key
