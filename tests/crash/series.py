"""A service killed again and again under load, and the exchange's books against the disk after each kill.

`python -m tests.crash.series 100` for a hundred kills; `--workers` and `--only-a-worker` choose what is killed.
Money in nanos, times in s.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.crash.exchange import Books, Exchange

RESERVATION_S = 5.0
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

    def __init__(self, folder: Path, port: int, workers: int, total_eur: dict[str, float]) -> None:
        settings = {
            "people.count": PEOPLE,
            "wire.reservation_s": RESERVATION_S,
            "campaigns.awareness.pacing": "asap",
            "campaigns.awareness.budget.total": total_eur["awareness"],
            "campaigns.awareness.budget.daily": DAILY_EUR["awareness"],
            "campaigns.buyers.budget.total": total_eur["buyers"],
        }
        command = [sys.executable, "-m", "experiments.cli", "bidder", "serve", "learning", "--port", str(port)]
        command += ["--state", str(folder), *(f"--set={name}={value}" for name, value in settings.items())]
        if workers > 1:
            command += ["--workers", str(workers)]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line.startswith("learning bids at"):
            raise Broken(f"it did not start: {self.process.communicate()}")

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
        out, err = self.process.communicate(timeout=60)
        if self.process.returncode != 0:
            raise Broken(f"it ended with {self.process.returncode}: {err}")
        return out


def children(pid: int) -> list[int]:
    """Ids of the processes a process has started."""
    listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True)
    return [int(child) for child in listed.stdout.split()]


def free_port() -> int:
    """A port nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def disk(folder: Path, total_eur: dict[str, float]) -> tuple[dict[str, int], dict[str, int]]:
    """Price of every booked bill by bid id, and nanos spent by campaign; raises `Broken` when the disk contradicts
    itself or a budget."""
    db = sqlite3.connect(folder / "accounts.sqlite")
    booked = dict(db.execute("SELECT id, nanos FROM notices WHERE sort = 1 AND how IN (1, 2)"))
    spent = dict(db.execute("SELECT id, spent FROM campaigns"))
    summed = dict(
        db.execute(
            "SELECT c.id, coalesce(sum(n.nanos), 0) FROM campaigns c "
            "LEFT JOIN notices n ON n.campaign = c.no AND n.sort = 1 AND n.how IN (1, 2) GROUP BY c.id"
        )
    )
    leased = dict(
        db.execute("SELECT c.id, sum(nanos) FROM campaigns c, leases l WHERE l.campaign = c.no GROUP BY c.id")
    )
    days = list(db.execute("SELECT c.id, d.spent FROM campaigns c, days d WHERE d.campaign = c.no"))
    db.close()
    if spent != summed:
        raise Broken(f"spend {spent} is not the sum of the notices {summed}")
    for name, nanos in spent.items():
        if nanos + leased.get(name, 0) > total_eur[name] * 1e9:
            raise Broken(f"{name}: {nanos} spent and {leased} held are more than its budget")
    for name, nanos in days:
        if nanos > DAILY_EUR.get(name, 1e9) * 1e9:
            raise Broken(f"{name}: {nanos} spent on a day")
    return booked, spent


def compare(books: Books, booked: dict[str, int], *, settled: bool) -> None:
    """What was acknowledged is on the disk, at its price; what is on the disk was sent; when all is settled, both are
    the same."""
    lost = {k: v for k, v in books.acknowledged.items() if booked.get(k) != v}
    if lost:
        raise Broken(f"acknowledged and not on the disk: {lost}")
    invented = {k: v for k, v in booked.items() if books.sent.get(k) != v}
    if invented:
        raise Broken(f"on the disk and never sent: {invented}")
    if settled and booked != books.acknowledged:
        raise Broken("on the disk and never acknowledged, though all is settled")
    early = {k: s for k, s in books.disputed.items() if s < RESERVATION_S and k not in books.lost}
    if early:
        raise Broken(f"disputed though in time: {early}")
    if books.strange:
        raise Broken(f"strange answers: {books.strange[:5]}")


def series(kills: int, seed: int, folder: Path, *, workers: int = 1, only_a_worker: bool = False) -> str:
    """Kill the service *kills* times; returns the figures, raises `Broken`."""
    luck = random.Random(seed)
    port = free_port()
    exchange = Exchange(port, seed, SLOTS, PEOPLE)
    total_eur = totals_eur(kills)
    began_s, unsure = time.monotonic(), 0
    service = Service(folder, port, workers, total_eur)
    try:
        for k in range(kills):
            asyncio.run(_life(exchange, service, luck, only_a_worker))
            if service.process.poll() is not None:
                service = Service(folder, port, workers, total_eur)
            booked, _ = disk(folder, total_eur)
            compare(exchange.books, booked, settled=False)
            unsure += len(set(booked) - set(exchange.books.acknowledged))
            if sys.stderr.isatty():
                print(f"\r{k + 1} of {kills} kills", end="", file=sys.stderr, flush=True)
        asyncio.run(exchange.settle())
        service.end()
    finally:
        if service.process.poll() is None:
            service.kill()
    booked, spent = disk(folder, total_eur)
    compare(exchange.books, booked, settled=True)
    told = exchange.books
    return (
        f"{kills} kills in {time.monotonic() - began_s:.0f} s: {told.bids} bids, {told.notices} notices acknowledged, "
        f"{len(booked)} bills on disk = {len(told.acknowledged)} acknowledged, {sum(booked.values())} nanos = "
        f"{sum(told.acknowledged.values())} nanos, {len(told.disputed)} disputed late, {unsure} on disk before they "
        f"were acknowledged; spent {spent}"
    )


async def _life(exchange: Exchange, service: Service, luck: random.Random, only_a_worker: bool) -> None:
    """Trade until the service, or one of its workers, is killed at a random moment."""
    stop = asyncio.Event()
    trading = asyncio.create_task(exchange.trade(8, stop))
    await asyncio.sleep(luck.uniform(0.05, 1.5))
    if only_a_worker:
        service.kill_a_worker(luck)
        await asyncio.sleep(luck.uniform(0.0, 0.5))
        stop.set()
    else:
        await asyncio.to_thread(service.kill)
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
