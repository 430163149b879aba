"""One run of load: requests leave when they are due, whatever has become of the ones before.

Latency counts from the intended moment to the last byte of the answer, so a bidder that stalls cannot hide the requests
it kept waiting. Times in s on the event loop's clock, durations in ns.
"""

from __future__ import annotations

import asyncio
import gc
from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple

from exchange_sim.cable import draw_wire
from exchange_sim.server.answers import read_answer
from exchange_sim.server.checks import Refused, check_bid
from experiments.load.client import Job, Pool, Poster
from experiments.load.faults import RequestFaults
from experiments.load.feedback import FAULT_KIND, REQUEST_FAULT, Feedback, NoticeFaults, Ratios
from experiments.load.histogram import Histogram
from experiments.load.traffic import Contents, Due, Pace, Schedule
from experiments.load.watch import Watch
from openrtb.codes import LossReason

SPIN_S = 0.0015
"""Closer than this to the next request the event loop is not put to sleep: its timers are that coarse."""
MOST_REASONS = 50
"""Different reasons kept; what comes beyond is counted as one."""


class LoadSpec(NamedTuple):
    """What a run is asked to do."""

    url: str
    pace: Pace
    connections: int
    tmax_s: float
    give_up_s: float
    currency: str
    ratios: Ratios = Ratios()
    request_packs: tuple[str, ...] = ()
    notice_faults: NoticeFaults = NoticeFaults()
    fault_share: float = 0.0
    seed: int = 1


class Tick(NamedTuple):
    """One second of a run, for whoever watches and for the report."""

    second: int
    sent: int
    answered: int
    bids: int
    timeouts: int
    errors: int
    p50_ms: float
    p99_ms: float
    waiting: int


class LoadRun:
    """The counts of one run and the callbacks that fill them."""

    def __init__(
        self, spec: LoadSpec, contents: Contents, watch: Watch, progress: Callable[[Tick], None] | None = None
    ) -> None:
        self.spec = spec
        self.latency, self.lag = Histogram(), Histogram()
        self.counts: Counter[str] = Counter()
        self.errors: Counter[str] = Counter()
        self.invalid: Counter[str] = Counter()
        self.ticks: list[Tick] = []
        self.watch = watch
        self.feedback = Feedback(spec.ratios, spec.notice_faults, watch, spec.give_up_s)
        self.faults = RequestFaults(spec.url, spec.request_packs, spec.fault_share, spec.tmax_s)
        self._contents, self._progress = contents, progress
        self._pool = Pool(spec.url, spec.connections, spec.give_up_s)
        self._poster = Poster(spec.url)
        self._second = Histogram()
        self._before: Counter[str] = Counter()
        self._start_s = 0.0
        self.lasted_s = 0.0

    async def run(self) -> None:
        """Do it; raises `OSError` when the bidder cannot be reached at all."""
        await self._pool.open()
        loop = asyncio.get_running_loop()
        schedule = Schedule(self.spec.pace, self.spec.seed, self._arrive)
        gc.collect()
        gc.freeze()
        self._start_s = self.feedback.start_s = loop.time() + 0.01
        ticking = loop.create_task(self._tick_on())
        try:
            await self._drive(schedule)
            await self._settle_down()
        finally:
            ticking.cancel()
            self._pool.close()
            self.feedback.close()
            gc.unfreeze()
        self.lasted_s = loop.time() - self._start_s
        self._tick()

    async def _drive(self, schedule: Schedule) -> None:
        loop = asyncio.get_running_loop()
        while (next_s := schedule.next_s()) != float("inf"):
            wait_s = self._start_s + next_s - loop.time()
            if wait_s > SPIN_S:
                await asyncio.sleep(wait_s - SPIN_S)
                continue
            if wait_s <= 0.0:
                schedule.advance(loop.time() - self._start_s)
            await asyncio.sleep(0)

    async def _settle_down(self) -> None:
        """Wait for answers and notices that are still to come."""
        loop = asyncio.get_running_loop()
        end_s = loop.time() + self.spec.give_up_s + 1.0 + self.spec.notice_faults.late_s * (self.feedback.waiting > 0)
        while (self._pool.waiting or self.feedback.waiting) and loop.time() < end_s:
            await asyncio.sleep(0.01)
        await self.faults.finish(self.spec.give_up_s + 10.0)

    def _arrive(self, intended_s: float) -> None:
        """A request's moment has come."""
        moment_s = self._start_s + intended_s
        self.lag.add(int((asyncio.get_running_loop().time() - moment_s) * 1e9))
        due = self._contents.due(intended_s)
        if self.faults.share and draw_wire(due.key, REQUEST_FAULT) < self.faults.share:
            self.counts["faulty"] += 1
            self.faults.send(due, draw_wire(due.key, FAULT_KIND))
            return
        self.counts["sent"] += 1
        self._pool.send(Job(self._poster.message(due.body), moment_s, self._answered, due))

    def _answered(self, job: Job, status: int, body: bytes, why: str) -> None:
        """An answer is here, or never will be."""
        latency_s = asyncio.get_running_loop().time() - job.intended_s
        self.latency.add(int(latency_s * 1e9))
        self._second.add(int(latency_s * 1e9))
        late = latency_s > self.spec.tmax_s
        self.counts["timeouts"] += late
        if why or status not in (200, 204):
            self.counts["errors"] += 1
            _count(self.errors, why or f"HTTP {status}")
            return
        self.counts["answered"] += 1
        if status == 204:
            self.counts["no_bid"] += 1
        else:
            self._read(job.about, body, late)

    def _read(self, due: Due, body: bytes, late: bool) -> None:
        """Check an answer as an exchange would; what comes too late wins nothing."""
        request, currency = due.request, self.spec.currency
        answer = read_answer("bidder", 200, body, request.id, [currency])
        reasons = [_reason(dropped.loss) for dropped, _ in answer.dropped]
        if answer.problem is not None and not reasons:
            reasons.append("unreadable answer")
        imps = {imp.id: imp for imp in request.imp}
        valid = 0
        for taken in answer.bids:
            checked = check_bid(taken, request, imps, currency)
            if isinstance(checked, Refused):
                reasons.append(_reason(checked.loss))
                continue
            valid += 1
            if not late:
                self.feedback.settle(due, taken, checked, currency)
        for reason in reasons:
            _count(self.invalid, reason)
        self.counts["invalid"] += bool(reasons)
        self.counts["bids"] += valid > 0
        self.counts["no_bid"] += valid == 0 and not reasons

    async def _tick_on(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(max(0.0, self._start_s + len(self.ticks) + 1 - loop.time()))
            self._tick()

    def _tick(self) -> None:
        """Close one second of the record."""
        gone = {name: self.counts[name] - self._before[name] for name in self.counts}
        self._before = Counter(self.counts)
        tick = Tick(
            second=len(self.ticks) + 1,
            sent=gone.get("sent", 0),
            answered=gone.get("answered", 0),
            bids=gone.get("bids", 0),
            timeouts=gone.get("timeouts", 0),
            errors=gone.get("errors", 0),
            p50_ms=self._second.percentile_ns(50) / 1e6,
            p99_ms=self._second.percentile_ns(99) / 1e6,
            waiting=self._pool.waiting,
        )
        self._second = Histogram()
        self.ticks.append(tick)
        if self._progress is not None:
            self._progress(tick)

    def violations(self) -> list[str]:
        """Whatever must never happen and did."""
        told = [*self.watch.violations(self.lasted_s), *self.faults.violations()]
        if self.feedback.misdated():
            told.append(f"{self.feedback.misdated():,} billing notices were refused for the date they were sent at")
        accepted = self.feedback.accepted_forgeries()
        return [*told, f"{accepted:,} forged billing notices were accepted"] if accepted else told


def _reason(loss: int) -> str:
    return LossReason(loss).name.lower().replace("_", " ")


def _count(reasons: Counter[str], reason: str) -> None:
    reasons[reason if reason in reasons or len(reasons) < MOST_REASONS else "other"] += 1


def result_of(run: LoadRun) -> dict[str, Any]:
    """A finished run in plain data: what JSON, thresholds and the page are made of."""
    spec, latency = run.spec, run.latency
    sent = run.counts["sent"]
    percents = (50, 75, 90, 95, 99, 99.9, 99.99)
    in_ms = {f"p{percent:g}": latency.percentile_ns(percent) / 1e6 for percent in percents}
    return {
        "url": spec.url,
        "seed": spec.seed,
        "asked": {**spec.pace._asdict(), "connections": spec.connections, "tmax_ms": spec.tmax_s * 1000.0},
        "sent": sent,
        "rate_per_s": run.counts["answered"] / spec.pace.duration_s,
        "lasted_s": run.lasted_s,
        "latency_ms": {**in_ms, "max": latency.highest_ns / 1e6, "mean": latency.mean_ns() / 1e6},
        "send_lag_ms": {"p50": run.lag.percentile_ns(50) / 1e6, "p99": run.lag.percentile_ns(99) / 1e6},
        "counts": {name: run.counts[name] for name in ("answered", "bids", "no_bid", "timeouts", "errors", "invalid")},
        "bid_rate": run.counts["bids"] / max(1, sent),
        "errors": dict(run.errors.most_common()),
        "invalid": dict(run.invalid.most_common()),
        "wins": run.feedback.wins,
        "notices": _nested(run.feedback.heard),
        "unsendable_notices": run.feedback.unsendable,
        "billed": dict(run.watch.billed),
        "spent_nanos": dict(run.watch.spent_nanos),
        "faulty": run.counts["faulty"],
        "faults": _nested(run.faults.answers),
        "violations": run.violations(),
        "seconds": [tick._asdict() for tick in run.ticks],
    }


def _nested(counts: Counter[tuple[str, str]]) -> dict[str, dict[str, int]]:
    nested: dict[str, dict[str, int]] = {}
    for (kind, outcome), n in sorted(counts.items()):
        nested.setdefault(kind, {})[outcome] = n
    return nested
