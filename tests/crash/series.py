"""A service killed again and again under load, and the exchange's books against the disk after each kill.

`python -m tests.crash.series 100` for a hundred kills; `--workers` and `--only-a-worker` choose what is killed.
Money in nanos, times in s.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from bidder.image import COUNTS
from bidder.server.images import decoded
from tests.crash.exchange import Books, Exchange
from tests.patience import HANG_S, until

RESERVATION_S = 5.0
COMPACT_AFTER = 150
"""Notices: an image every second or so, so that many kills come in the middle of one."""
KEEP_S = 40.0
"""Longer than the exchange waits with any notice, so that all it sends are still known; shorter than a series. A short
series on a slow machine keeps them longer (`keep_s`)."""
PEOPLE = 20_000
SLOTS = [("morning-paper", "top", 0.5)]
DAILY_EUR = {"awareness": 0.6}


def totals_eur(kills: int) -> dict[str, float]:
    """Budgets: the first is gone after a few kills, the second towards the end; then leases, late bills and what dead
    workers held compete for what is left."""
    return {"awareness": 1.0, "buyers": 0.2 * kills}


class Broken(Exception):
    """A promise about money did not hold."""


class Service:
    """`bidlab bidder serve` over *folder*, as a process."""

    def __init__(self, folder: Path, workers: int, total_eur: dict[str, float], keep_s: float = KEEP_S) -> None:
        settings = {
            "people.count": PEOPLE,
            "wire.reservation_s": RESERVATION_S,
            "campaigns.awareness.pacing": "asap",
            "campaigns.awareness.budget.total": total_eur["awareness"],
            "campaigns.awareness.budget.daily": DAILY_EUR["awareness"],
            "campaigns.buyers.budget.total": total_eur["buyers"],
        }
        command = [sys.executable, "-m", "experiments.cli", "bidder", "serve", "learning", "--port", "0"]
        command += ["--state", str(folder), *(f"--set={name}={value}" for name, value in settings.items())]
        command += ["--compact-after", str(COMPACT_AFTER), "--keep-notices-s", str(keep_s)]
        command += ["--shed-ms", "0"]  # a loaded machine would turn all away
        if workers > 1:
            command += ["--workers", str(workers)]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line.startswith("learning bids at"):
            raise Broken(f"it did not start: {self.process.communicate()}")
        self.base = line.split()[-1].removesuffix("/openrtb2/bid")

    def kill(self) -> None:
        """kill -9, the process and those it started."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.communicate()

    def kill_a_worker(self, luck: random.Random) -> None:
        """kill -9 for one of the processes it started."""
        os.kill(luck.choice(self.workers()), signal.SIGKILL)

    def workers(self) -> list[int]:
        """Ids of the processes it started."""
        return children(self.process.pid)

    def end(self) -> str:
        """SIGTERM; what it said in the end."""
        self.process.send_signal(signal.SIGTERM)
        out, err = self.process.communicate(timeout=HANG_S)
        if self.process.returncode != 0:
            raise Broken(f"it ended with {self.process.returncode}: {err}")
        return out


def children(pid: int) -> list[int]:
    """Ids of the processes a process has started, those that have ended but for their parent's word among them not."""
    if Path("/proc/self/stat").exists():
        found = []
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):  # it has ended by now
                state, parent = stat.read_text("utf-8", "replace").rpartition(")")[2].split()[:2]
                if int(parent) == pid and state != "Z":
                    found.append(int(stat.parent.name))
        return found
    listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True)
    return [int(child) for child in listed.stdout.split()]


@dataclass
class Disk:
    """What the accounts say: bills still listed, by bid id, and nanos spent by campaign."""

    booked: dict[str, int]
    spent: dict[str, int]
    dropped: int
    """Bills an image stands for: all there ever were, less those listed."""
    dropped_nanos: int


def disk(folder: Path, total_eur: dict[str, float]) -> Disk:
    """What is on the disk; raises `Broken` when that contradicts itself or a budget."""
    for _ in range(10):  # workers that live may replace the image just named
        with contextlib.suppress(FileNotFoundError):
            return _disk(folder, total_eur)
    raise Broken("the image the accounts name is missing")


def _disk(folder: Path, total_eur: dict[str, float]) -> Disk:
    db = sqlite3.connect(folder / "accounts.sqlite")
    db.execute("BEGIN")
    booked = dict(db.execute("SELECT id, nanos FROM notices WHERE sort = 1 AND how IN (1, 2)"))
    spent = dict(db.execute("SELECT id, spent FROM campaigns"))
    name = dict(db.execute("SELECT name, value FROM meta")).get("image")
    after = dict(
        db.execute(
            "SELECT c.id, coalesce(sum(n.nanos), 0) FROM campaigns c LEFT JOIN covered k ON k.campaign = c.no "
            "LEFT JOIN notices n ON n.campaign = c.no AND n.sort = 1 AND n.how IN (1, 2) AND n.seq > coalesce(k.seq, 0)"
            " GROUP BY c.id"
        )
    )
    listed = list(
        db.execute(
            "SELECT n.nanos FROM notices n JOIN covered k ON k.campaign = n.campaign "
            "WHERE n.sort = 1 AND n.how IN (1, 2) AND n.seq <= k.seq"
        )
    )
    numbers = dict(db.execute("SELECT no, id FROM campaigns"))
    leased = dict(
        db.execute("SELECT c.id, sum(nanos) FROM campaigns c, leases l WHERE l.campaign = c.no GROUP BY c.id")
    )
    days = list(db.execute("SELECT c.id, d.spent FROM campaigns c, days d WHERE d.campaign = c.no"))
    wins = held = 0
    if name is not None:
        image = decoded((folder / name).read_bytes())
        for no, kept in image.campaigns.items():
            told = dict(zip(COUNTS, kept.counts, strict=True))
            after[numbers[no]] += told["spent_nanos"]
            wins, held = wins + told["wins"], held + told["spent_nanos"]
    db.close()
    if spent != after:
        raise Broken(f"spend {spent} is not the image's and the later notices' {after}")
    for campaign, nanos in spent.items():
        if nanos + leased.get(campaign, 0) > total_eur[campaign] * 1e9:
            raise Broken(f"{campaign}: {nanos} spent and {leased} held are more than its budget")
    for campaign, nanos in days:
        if nanos > DAILY_EUR.get(campaign, 1e9) * 1e9:
            raise Broken(f"{campaign}: {nanos} spent on a day")
    return Disk(booked, spent, wins - len(listed), held - sum(nanos for (nanos,) in listed))


def compare(books: Books, found: Disk, *, settled: bool) -> None:
    """What was acknowledged is on the disk, at its price; what is on the disk was sent; when all is settled, both are
    the same. Bills that are no longer listed are held against the exchange's books by number and sum."""
    missing = {k: v for k, v in books.acknowledged.items() if k not in found.booked}
    wrong = {k: v for k, v in books.acknowledged.items() if found.booked.get(k, v) != v}
    # An unlisted bill may be one whose answer was lost; then it was sent, and is not acknowledged yet.
    if wrong or len(missing) > found.dropped or sum(missing.values()) > found.dropped_nanos:
        raise Broken(f"acknowledged and not on the disk: {wrong or missing}")
    invented = {k: v for k, v in found.booked.items() if books.sent.get(k) != v}
    if invented:
        raise Broken(f"on the disk and never sent: {invented}")
    unsure = {k: v for k, v in books.sent.items() if k not in books.acknowledged and k not in found.booked}
    if found.dropped > len(missing) + len(unsure) or found.dropped_nanos > sum(missing.values()) + sum(unsure.values()):
        raise Broken(f"{found} holds more than was ever sent")
    if settled and (len(missing), sum(missing.values())) != (found.dropped, found.dropped_nanos):
        raise Broken("on the disk and never acknowledged, though all is settled")
    if settled and not set(found.booked) <= set(books.acknowledged):
        raise Broken("on the disk and never acknowledged, though all is settled")
    early = {k: s for k, s in books.disputed.items() if s < RESERVATION_S and k not in books.lost}
    if early:
        raise Broken(f"disputed though in time: {early}")
    if books.strange:
        raise Broken(f"strange answers: {books.strange[:5]}")


def series(
    kills: int, seed: int, folder: Path, *, workers: int = 1, only_a_worker: bool = False, keep_s: float = KEEP_S
) -> str:
    """Kill the service *kills* times; returns the figures, raises `Broken`."""
    luck = random.Random(seed)
    exchange = Exchange(seed, SLOTS, PEOPLE)
    total_eur = totals_eur(kills)
    began_s, unsure = time.monotonic(), 0
    images: set[frozenset[str]] = set()
    service = Service(folder, workers, total_eur, keep_s)
    try:
        for k in range(kills):
            exchange.base = service.base
            asyncio.run(_life(exchange, service, luck, only_a_worker))
            if service.process.poll() is not None:
                service = Service(folder, workers, total_eur, keep_s)
            found = disk(folder, total_eur)
            compare(exchange.books, found, settled=False)
            unsure += len(set(found.booked) - set(exchange.books.acknowledged))
            images.add(frozenset(path.name for path in folder.glob("book-*.image")))
            if sys.stderr.isatty():
                print(f"\r{k + 1} of {kills} kills", end="", file=sys.stderr, flush=True)
        exchange.base = service.base
        asyncio.run(exchange.settle())
        service.end()
    finally:
        if service.process.poll() is None:
            service.kill()
    found = disk(folder, total_eur)
    compare(exchange.books, found, settled=True)
    told = exchange.books
    bills, nanos = len(found.booked) + found.dropped, sum(found.booked.values()) + found.dropped_nanos
    return (
        f"{kills} kills in {time.monotonic() - began_s:.0f} s: {told.bids} bids, {told.notices} notices acknowledged, "
        f"{bills} bills on disk = {len(told.acknowledged)} acknowledged, {nanos} nanos = "
        f"{sum(told.acknowledged.values())} nanos, {len(told.disputed)} disputed late, {unsure} on disk before they "
        f"were acknowledged; {found.dropped} bills only in an image, {len(images)} sets of images found; "
        f"spent {found.spent}"
    )


async def _life(exchange: Exchange, service: Service, luck: random.Random, only_a_worker: bool) -> None:
    """Trade until the service, or one of its workers, is killed at a random moment."""
    stop = asyncio.Event()
    trading = asyncio.create_task(exchange.trade(8, stop))
    await asyncio.sleep(luck.uniform(0.05, 1.5))
    await until(lambda: exchange.books.bids or trading.done())  # a slow machine may not have begun by then
    if only_a_worker:
        service.kill_a_worker(luck)
        await asyncio.sleep(luck.uniform(0.0, 0.5))
    else:
        await asyncio.to_thread(service.kill)
    stop.set()
    await trading


def main() -> None:
    """Run a series and print its figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kills", type=int)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--only-a-worker", action="store_true")
    told = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print(
            series(told.kills, told.seed, Path(folder), workers=told.workers, only_a_worker=told.only_a_worker),
            flush=True,
        )


if __name__ == "__main__":
    main()
