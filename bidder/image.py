"""What a book remembers, apart from the book: for a restart that does not hear every notice again.

An image holds what was billed, clicked, bought and learned, and who has seen what; nothing that is in flight. Campaigns
stand in it by a number that outlives positions. Money in nanos, times in s since the start of the scenario.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from bidder.core.book import CELL_RIPE, CELL_WINS, LARGEST_BLOCK, MEMORY_USED, Book
from bidder.core.memory import IN_FLIGHT_S, SMALLEST_BLOCK
from bidder.core.pricing import list_prices
from bidder.plan import CampaignPlan, Directory
from bidder.room import blank_rows, ensure_people, ensure_room

COUNTS = ("spent_nanos", "day_ix", "spent_day_nanos", "wins", "clicks", "conversions", "conversion_nanos")
MEASURES = ("ripened_log", "bought_worth", "tick_bought_worth")
CURVE = (
    *("bid_a", "bid_b", "curve_slope_push", "curve_offset_push", "curve_slopes", "curve_both", "curve_offsets"),
    *("curve_seen", "curve_sum", "curve_squares", "curve_heard"),
)
EXPOSURE = np.dtype([("person_ix", "i8"), ("time_s", "f8"), ("campaign", "i4"), ("touch", "i4")])
"""Somebody has seen an ad; `campaign` is its position in a book, its number in an image."""


class Kept(Struct):
    """One campaign: COUNTS and MEASURES, its row of `Book.cells`, and a win curve it has learned."""

    counts: list[int]
    measures: list[float]
    rates: str
    """What the rates were planned as; others are learned anew from the counts."""
    cells: bytes
    bid: str
    curve: list[float]


class Image(Struct):
    """A book's memory up to one moment."""

    campaigns: dict[int, Kept]
    features: str
    """What the models' weights refer to; where that is something else, they are learned anew."""
    weights: bytes
    learners: bytes
    exposures: bytes = b""
    """EXPOSURE[n], each person's in the order they came."""


def picture(book: Book, plans: Sequence[CampaignPlan], numbers: Sequence[int], directory: Directory) -> Image:
    """Everything but the exposures, which `exposures_of` reads: a copy."""
    return Image(
        {no: _kept(book, ix, plan) for ix, (no, plan) in enumerate(zip(numbers, plans, strict=True))},
        features_of(directory),
        book.weights.tobytes(),
        book.learners.tobytes(),
    )


def _kept(book: Book, campaign_ix: int, plan: CampaignPlan) -> Kept:
    row = book.campaigns[campaign_ix]
    return Kept(
        [int(row[name]) for name in COUNTS],
        [float(row[name]) for name in MEASURES],
        _rates(plan),
        book.cells[campaign_ix].tobytes(),
        repr(plan.bid),
        [float(row[name]) for name in CURVE],
    )


def exposures_of(book: Book, people: slice, numbers: Sequence[int], now_s: float) -> NDArray[np.void]:
    """EXPOSURE[n]: what these people have seen, as far as it can still matter at *now_s*.

    People may be read one after the other while bids are made and lost, but not while notices are booked.
    """
    persons = book.persons[people]
    some = np.flatnonzero(persons["count"])
    counts = persons["count"][some].astype(np.int64)
    first = np.cumsum(counts) - counts
    at = np.repeat(persons["start"][some] - first, counts) + np.arange(counts.sum())
    memory = book.memory[at]
    times, campaign_ix = memory["time_s"], memory["campaign_ix"]
    kept = (times != IN_FLIGHT_S) & (times >= now_s - book.campaigns["keep_s"][campaign_ix])
    seen = np.empty(int(kept.sum()), EXPOSURE)
    seen["person_ix"] = np.repeat(some + (people.start or 0), counts)[kept]
    seen["time_s"], seen["touch"] = times[kept], memory["touch"][kept]
    seen["campaign"] = np.array(numbers, np.int32)[campaign_ix[kept]]
    return seen


def restore(
    book: Book, image: Image, plans: Sequence[CampaignPlan], numbers: Sequence[int], directory: Directory
) -> Book:
    """*book*, fresh from *plans*, with what the image remembers of them."""
    for campaign_ix, (no, plan) in enumerate(zip(numbers, plans, strict=True)):
        kept = image.campaigns.get(no)
        if kept is not None:
            _recall(book, campaign_ix, plan, kept)
    alike = image.features == features_of(directory)
    for part, told in ((book.weights, image.weights), (book.learners, image.learners)):
        alike = alike and part.nbytes == len(told)
    if alike:
        book.weights.reshape(-1)[:] = np.frombuffer(image.weights)
        book.learners.reshape(-1)[:] = np.frombuffer(image.learners)
    else:
        book.campaigns["ripened_log"] = 0.0
    return _remind(book, np.frombuffer(image.exposures, EXPOSURE), {no: ix for ix, no in enumerate(numbers)})


def _recall(book: Book, campaign_ix: int, plan: CampaignPlan, kept: Kept) -> None:
    row, cells = book.campaigns[campaign_ix : campaign_ix + 1], book.cells[campaign_ix]
    for names, values in ((COUNTS, kept.counts), (MEASURES, kept.measures)):
        for name, value in zip(names, values, strict=True):
            row[name] = value
    told = np.frombuffer(kept.cells).reshape(cells.shape)
    known = slice(None) if kept.rates == _rates(plan) else slice(CELL_WINS, CELL_RIPE + 1)
    cells[:, known] = told[:, known]
    # An image of an earlier version tells less: the curve is learned anew.
    if plan.bid.learned and kept.bid == repr(plan.bid) and len(kept.curve) == len(CURVE):
        for name, measure in zip(CURVE, kept.curve, strict=True):
            row[name] = measure
    row["changed"] = 1
    list_prices(book, campaign_ix)


def _remind(book: Book, seen: NDArray[np.void], position: Mapping[int, int]) -> Book:
    """Each person's list, one block after the other."""
    campaign_ix = np.array([position.get(no, -1) for no in seen["campaign"].tolist()], np.int64)
    seen, campaign_ix = seen[campaign_ix >= 0], campaign_ix[campaign_ix >= 0]
    if len(seen) == 0:
        return book
    order = np.argsort(seen["person_ix"], kind="stable")
    seen, campaign_ix = seen[order], campaign_ix[order]
    people, first, counts = np.unique(seen["person_ix"], return_index=True, return_counts=True)
    rooms = np.full(len(people), SMALLEST_BLOCK, np.int64)
    while (rooms < counts).any():
        rooms[rooms < counts] *= 2
    starts = np.cumsum(rooms) - rooms
    book = ensure_people(book, int(people[-1]) + 1)
    used, size = int(rooms.sum()), len(book.memory)
    while size < used:
        size *= 2
    memory = blank_rows(size, book.memory.dtype)
    at = np.repeat(starts - first, counts) + np.arange(len(seen))
    memory["time_s"][at], memory["touch"][at], memory["campaign_ix"][at] = seen["time_s"], seen["touch"], campaign_ix
    bits = np.bitwise_or.reduceat(np.uint64(1) << (campaign_ix & 63).astype(np.uint64), first)
    persons = book.persons
    persons["start"][people], persons["count"][people], persons["room"][people] = starts, counts, rooms
    persons["seen"][people] = persons["near"][people] = bits  # near: look at the list
    book.index[MEMORY_USED], book.index[LARGEST_BLOCK] = used, rooms.max()
    return ensure_room(book._replace(memory=memory))


def since(exposures: bytes, from_s: float) -> bytes:
    """Of an image's exposures those from this moment on."""
    seen = np.frombuffer(exposures, EXPOSURE)
    return exposures if from_s == -np.inf else seen[seen["time_s"] >= from_s].tobytes()


def moved(exposures: bytes, rows: NDArray[np.int32]) -> bytes:
    """An image's exposures with people where *rows* (by where they were; below 0: gone) says they are now.

    In the order of time, so that those of two rows that have become one follow each other as they happened.
    """
    seen = np.frombuffer(exposures, EXPOSURE)
    seen = seen[seen["person_ix"] < len(rows)]
    seen["person_ix"] = rows[seen["person_ix"]]
    seen = seen[seen["person_ix"] >= 0]
    return seen[np.argsort(seen["time_s"], kind="stable")].tobytes()


def without(image: Image, numbers: Sequence[int]) -> Image:
    """What the image knows of campaigns other than these."""
    seen = np.frombuffer(image.exposures, EXPOSURE)
    others = seen[~np.isin(seen["campaign"], np.array(numbers, np.int32))]
    rest = {no: kept for no, kept in image.campaigns.items() if no not in set(numbers)}
    return Image(rest, "", b"", b"", others.tobytes())


def merged(image: Image, rest: Image) -> Image:
    """*image* with campaigns only *rest* knows."""
    return msgspec.structs.replace(
        image, campaigns={**rest.campaigns, **image.campaigns}, exposures=image.exposures + rest.exposures
    )


def features_of(directory: Directory) -> str:
    """Name of what the models' weights refer to by position."""
    told = [directory.publishers, directory.places, directory.slots, directory.segments, directory.products]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:16]


def _rates(plan: CampaignPlan) -> str:
    return repr((plan.ctr, plan.cvr, plan.learned, plan.prior_impressions, plan.method))
