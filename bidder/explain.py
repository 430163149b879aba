"""Why each campaign bids or does not for one request, and where the microseconds go. Prices in CPM, times in µs.

The same parts decide as in the desk, on a desk of its own that is left as it was found.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, TypeVar

import numpy as np

from bidder.answer import Writer
from bidder.codec import Seen, blank_row
from bidder.core.book import (
    ROW_DEVICE,
    ROW_FORMAT,
    ROW_HOUR,
    ROW_PLACE,
    ROW_PUBLISHER,
)
from bidder.core.codes import BID, DEVICES, FORMATS, NOT_TARGETED, REASONS
from bidder.core.offer import offer
from bidder.core.pricing import quote
from bidder.core.settle import withdraw
from bidder.core.targeting import inside_fence
from bidder.desk import Desk
from bidder.plan import CampaignPlan, Directory
from bidder.policy import Ask, Ruled, asks, fit, general
from openrtb.decode import decode_request
from openrtb.messages import Bid, BidRequest, BidResponse, Imp
from openrtb.money import nanos_to_cpm
from openrtb.native import readable_native

ROUNDS = 200
"""How often each stage is timed."""
Result = TypeVar("Result")


@dataclass(frozen=True)
class Verdict:
    """One campaign and one impression."""

    campaign_id: str
    reason: str
    """`bid`, one of the kernels' reasons, or what the seller ruled out."""
    detail: str = ""
    price_cpm: float | None = None
    """What it bids or would bid."""
    creative_id: str | None = None


@dataclass(frozen=True)
class Opportunity:
    """One impression, as answered by an ad of one kind."""

    imp_id: str
    kind: str
    facts: dict[str, Any]
    verdicts: list[Verdict]


@dataclass(frozen=True)
class Explanation:
    """Everything there is to say."""

    request_id: str
    recognised: bool
    """Whether the request allows its person to be recognised."""
    opportunities: list[Opportunity]
    problems: list[str] = field(default_factory=list)
    """Impressions that cannot be answered at all, and why."""
    stages_us: dict[str, float] = field(default_factory=dict)
    """Median time of each stage."""

    def as_json(self) -> dict[str, Any]:
        """For machines."""
        return asdict(self)


class Explainer:
    """Explains requests to one desk, which serves nobody else."""

    def __init__(
        self,
        desk: Desk,
        plans: Sequence[CampaignPlan],
        directory: Directory,
        write: Writer,
        encode: Callable[[BidResponse], bytes],
    ) -> None:
        self._desk, self._plans, self._directory, self._write, self._encode = desk, plans, directory, write, encode
        self._row, self._row_bytes = blank_row()
        self._signals = np.zeros(max([1, *(plan.signal_ix + 1 for plan in plans)]), np.int64)
        self._none = np.zeros((len(plans), len(REASONS)), np.int64)

    def explain(self, body: bytes, now_s: float) -> Explanation:
        """What becomes of the request in *body* at *now_s*; raises `openrtb.errors.InvalidMessage`."""
        request = decode_request(body)
        opportunities: list[Opportunity] = []
        problems: list[str] = []
        for i, imp in enumerate(request.imp):
            native = None if imp.native is None else readable_native(imp, i, problems)
            opportunities += [
                self._opportunity(request, alone, ask, now_s)
                for ask in asks(imp, native)
                for alone in self._desk.by_deal(imp)
            ]
        known = self._desk.gate.open(request)
        return Explanation(request.id, known, opportunities, problems, self._stages(body, now_s))

    def _opportunity(self, request: BidRequest, imp: Imp, ask: Ask, now_s: float) -> Opportunity:
        seen = self._read(request, imp, ask, now_s)
        if seen is None:
            facts = {"tagid": imp.tagid, "bidfloorcur": imp.bidfloorcur}
            detail = "a slot, seller or place that no campaign knows, or a floor in another currency"
            verdicts = [Verdict(p.campaign_id, Ruled.UNKNOWN_PLACE.name.lower(), detail) for p in self._plans]
            return Opportunity(imp.id, ask.kind, facts, verdicts)
        creatives, _ = self._fitting(request, imp, ask, seen)
        tally = np.zeros_like(self._none)
        self._offer(creatives, tally)
        verdicts = [self._verdict(c, request, imp, ask, seen, creatives, tally) for c in range(len(self._plans))]
        return Opportunity(imp.id, ask.kind, self._facts(seen), verdicts)

    def _verdict(
        self, c: int, request: BidRequest, imp: Imp, ask: Ask, seen: Seen, creatives: int, tally: np.ndarray
    ) -> Verdict:
        plan, shelf = self._plans[c], self._desk.shelf
        if not creatives & shelf.own(c):
            took = [0] * len(Ruled)
            left, why = general(shelf, request, self._desk.currency, self._desk.seat, shelf.own(c), took)
            if left:
                left, why = fit(shelf, imp, ask, seen.deal, left, took)
            assert why is not None
            return Verdict(plan.campaign_id, why.name.lower(), "ruled out by the seller")
        reason = int(tally[c].argmax()) if tally[c].any() else NOT_TARGETED
        detail = self._mismatch(c, seen) if reason == NOT_TARGETED else ""
        _, price_nanos = quote(self._desk.book, c, self._row, 0, self._signals)
        return Verdict(
            plan.campaign_id,
            REASONS[reason],
            detail,
            nanos_to_cpm(int(price_nanos)) if reason != NOT_TARGETED else None,
            shelf.first(creatives, c).creative_id if reason == BID else None,
        )

    def _mismatch(self, c: int, seen: Seen) -> str:
        """What of its target the campaign misses here."""
        book, row, target = self._desk.book, self._row[0], self._plans[c].target
        words = []
        for block, column, name in (
            (ROW_FORMAT, "format_ix", "format"),
            (ROW_DEVICE, "device_ix", "device"),
            (ROW_HOUR, "hour", "hour"),
            (ROW_PLACE, "place_ix", "place"),
            (ROW_PUBLISHER, "publisher_ix", "publisher"),
        ):
            if not int(book.targets[book.index[block] + row[column], c >> 6]) >> (c & 63) & 1:
                words.append(name)
        if target.deals and (seen.deal is None or seen.deal.id not in target.deals):
            words.append("deal")
        campaign = book.campaigns[c]
        if not campaign["start_s"] <= row["now_s"] < campaign["end_s"]:
            words.append("dates")
        if not inside_fence(book.campaigns, c, row["lat"], row["lon"]):
            words.append("disc on the map")
        if row["person_ix"] >= 0 and not self._in_segments(c, int(row["person_ix"])):
            words.append("segments")
        return f"not its {', '.join(words)}" if words else ""

    def _in_segments(self, c: int, person_ix: int) -> bool:
        target, names = self._plans[c].target, self._directory.segments
        bits = self._desk.rows[person_ix]
        held = {name for k, name in enumerate(names) if int(bits[k >> 6]) >> (k & 63) & 1}
        return (
            (not target.any_segments or not held.isdisjoint(target.any_segments))
            and held.issuperset(target.all_segments)
            and held.isdisjoint(target.none_segments)
        )

    def _facts(self, seen: Seen) -> dict[str, Any]:
        """What the bidder understood."""
        row, names = self._row[0], self._directory
        return {
            "slot": names.slots[seen.slot_ix],
            "format": FORMATS[row["format_ix"]],
            "device": DEVICES[row["device_ix"]],
            "place": names.places[row["place_ix"]],
            "hour": int(row["hour"]),
            "person": int(row["person_ix"]) if row["person_ix"] >= 0 else None,
            "deal": None if seen.deal is None else seen.deal.id,
            "floor_cpm": nanos_to_cpm(int(row["floor_nanos"])),
        }

    def _read(self, request: BidRequest, imp: Imp, ask: Ask, now_s: float) -> Seen | None:
        values = None if imp.ext is None else imp.ext.values_nanos
        self._signals[:] = values if values is not None and len(values) == len(self._signals) else 0
        return self._desk.codec.read(request, imp, ask.kind, self._desk.gate.open(request), now_s, self._row_bytes)

    def _fitting(self, request: BidRequest, imp: Imp, ask: Ask, seen: Seen) -> tuple[int, Ruled | None]:
        desk, took = self._desk, [0] * len(Ruled)
        left, why = general(desk.shelf, request, desk.currency, desk.seat, desk.shelf.all, took)
        return fit(desk.shelf, imp, ask, seen.deal, left, took) if left else (0, why)

    def _offer(self, creatives: int, tally: np.ndarray) -> tuple[int, int]:
        """The winner and its bid in nanos, with nothing held in the end."""
        desk = self._desk
        allowed = desk.shelf.among(creatives)
        c, bid, _, _, day_ix, _ = offer(desk.book, desk.rows, self._row, 0, self._signals, tally, allowed)
        if c >= 0:
            withdraw(desk.book, c, int(self._row["person_ix"][0]), bid, day_ix)
        return c, int(bid)

    def _stages(self, body: bytes, now_s: float) -> dict[str, float]:
        """Median time of parsing, looking up, deciding and encoding; the last for the bids there are."""
        request = decode_request(body)
        tally = np.zeros_like(self._none)
        times: dict[str, list[float]] = {"parse": [], "lookup": [], "decide": [], "encode": []}
        for _ in range(ROUNDS):
            request = _timed(times["parse"], decode_request, body)
            spent = dict.fromkeys(("lookup", "decide", "encode"), 0.0)
            bids: list[Bid] = []
            for i, imp in enumerate(request.imp):
                self._one(request, i, imp, now_s, tally, spent, bids)
            if bids:
                answer: list[float] = []
                _timed(answer, self._encode, self._desk.codec.response(request, bids))
                spent["encode"] += answer[0]
            for name, value in spent.items():
                times[name].append(value)
        medians = {name: statistics.median(values) for name, values in times.items()}
        return {**medians, "all": sum(medians.values())}

    def _one(
        self,
        request: BidRequest,
        i: int,
        imp: Imp,
        now_s: float,
        tally: np.ndarray,
        spent: dict[str, float],
        bids: list[Bid],
    ) -> None:
        """Time one impression up to the first room that brings a bid."""
        began = time.perf_counter()
        for ask in asks(imp, None if imp.native is None else readable_native(imp, i, [])):
            seen = self._read(request, self._desk.by_deal(imp)[0], ask, now_s)
            creatives = 0 if seen is None else self._fitting(request, imp, ask, seen)[0]
            spent["lookup"] += (time.perf_counter() - began) * 1e6
            began = time.perf_counter()
            if not creatives:
                continue
            c, bid = self._offer(creatives, tally)
            spent["decide"] += (time.perf_counter() - began) * 1e6
            began = time.perf_counter()
            if c >= 0:
                desk = self._desk
                creative, campaign_id = desk.shelf.first(creatives, c), self._plans[c].campaign_id
                bids.append(self._write("0", imp, ask, creative, campaign_id, bid, None))
                spent["encode"] += (time.perf_counter() - began) * 1e6
                return


def _timed(into: list[float], work: Callable[..., Result], *arguments: Any) -> Result:
    """What *work* returns; the µs it took go into the list."""
    began = time.perf_counter()
    done = work(*arguments)
    into.append((time.perf_counter() - began) * 1e6)
    return done
