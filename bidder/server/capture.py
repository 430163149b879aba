"""A record of everything the desk was asked and told, and of what it decided: one JSON line each. Times in s.

The clock's readings are part of it, so the same calls on a fresh desk of the same scenario give the same decisions bit
for bit (`verify`). With accounts on disk the record begins with an image of the book they had brought it to, and holds
what they did to it; where there is an audience it holds what is known of the people it concerns. What never reached
the desk (malformed bodies, forged notices, requests that were too late) is not in it. Notice URLs and markup are left
out: they depend on a key nobody keeps.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from bidder.codec import Audience
from bidder.core.book import MEMORY_USED, Book
from bidder.desk import Desk, Heard, Spend
from bidder.errors import CaptureError
from bidder.image import exposures_of, picture, restore
from bidder.plan import CampaignPlan, Directory
from bidder.reload import set_active
from bidder.server.captured import (
    FORMAT,
    Asked,
    Billed,
    Bought,
    Bounds,
    Clicked,
    Decision,
    End,
    Expired,
    GivenUp,
    Header,
    Known,
    Line,
    Renewed,
    Start,
    Ticked,
    Told,
)
from bidder.server.images import decoded, encoded
from bidder.server.paced import PACED
from bidder.server.people import MappedAudience
from bidder.server.recorded import Recorded, Watched, with_people
from openrtb.messages import BidRequest, BidResponse
from openrtb.notices import Notice

_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(Line)


class Capture:
    """The file, while the service writes it. Raises `CaptureError` when it cannot be made; one that exists is kept.

    Without a header nothing is written before `begin`."""

    def __init__(self, path: Path, header: Header | None = None) -> None:
        try:
            self._file: BinaryIO = path.open("xb", buffering=1 << 16)
        except FileExistsError:
            raise CaptureError(f"{path}: is already there, and a capture overwrites nothing; choose another") from None
        except OSError as error:
            raise CaptureError(f"{path}: cannot be written ({error.strerror}); choose another place") from None
        self._readings: list[float] = []
        self._depth = 0
        self._desk: Desk | None = None
        self._began = False
        self._bounds: Bounds | None = None
        self._people: Watched | None = None
        if header is not None:
            self.begin(header)

    def begin(self, header: Header) -> None:
        """Write down what follows."""
        self._began = True
        self.write(header)
        self._bounds = None if self._desk is None else bounds_of(self._desk)

    def desk(
        self,
        book: Book,
        plans: Sequence[CampaignPlan],
        directory: Directory,
        audience: Audience,
        *,
        clock: Callable[[], float],
        **options: Any,
    ) -> Desk:
        """A desk like any other that writes down what happens to it."""
        if isinstance(audience, MappedAudience):
            audience = self._people = Watched(audience)

        def reading() -> float:
            now_s = clock()
            self._readings.append(now_s)
            return now_s

        self._desk = _CapturingDesk(self, book, plans, directory, audience, clock=reading, **options)
        self._bounds = bounds_of(self._desk)
        return self._desk

    def write(self, line: Line) -> None:
        """Append a line."""
        self._file.write(_ENCODER.encode(line) + b"\n")

    @contextmanager
    def call(self) -> Iterator[list[float] | None]:
        """The clock's readings during a call from outside; None within another call, which writes itself."""
        self._depth += 1
        outermost = self._depth == 1 and self._began
        if outermost:
            self._readings.clear()
            self._look_at_bounds()
            if self._people is not None:
                self._people.last_ix = -1
        try:
            yield self._readings if outermost else None
        finally:
            self._depth -= 1

    def _look_at_bounds(self) -> None:
        """Write down what the accounts have changed since the last call."""
        assert self._desk is not None
        bounds = bounds_of(self._desk)
        if bounds != self._bounds:
            self.write(bounds)
        self._bounds = bounds

    def person(self) -> int:
        """Row of whom the call under way has looked up, once it is written down what is known of that person."""
        if self._people is None:
            return -1
        self.tell_of(self._people.last_ix)
        return self._people.last_ix

    def tell_of(self, person_ix: int) -> None:
        """Write down what is known of a person, where that has not been done."""
        known = None if self._people is None else self._people.unknown(person_ix)
        if known is not None:
            self.write(known)

    def renewed(self) -> None:
        """Write down that the desk has gone over to a newer audience."""
        if self._people is not None and self._began:
            self.write(self._people.renewed())

    def close(self) -> None:
        """Write the end."""
        if self._desk is not None and self._began:
            self._look_at_bounds()
            self.write(End(digest(self._desk.book)))
        self._file.close()


class _CapturingDesk(Desk):
    def __init__(self, capture: Capture, *args: Any, **options: Any) -> None:
        self._capture = capture
        super().__init__(*args, **options)

    def answer(self, request: BidRequest, links_of: Any = None) -> BidResponse:
        with self._capture.call() as clock:
            response = super().answer(request, links_of)
            if clock is not None:
                self._capture.write(Asked(clock, request, decisions(response), response.nbr, self._capture.person()))
            return response

    async def notice(self, notice: Notice) -> Heard:
        with self._capture.call() as clock:
            heard = await super().notice(notice)
            if clock is not None:
                self._capture.write(Told(clock, notice, int(heard), self._capture.person()))
            return heard

    def tick(self) -> None:
        with self._capture.call() as clock:
            super().tick()
            if clock is not None:
                self._capture.write(Ticked(clock))

    def expire(self, now_s: float) -> None:
        before = self.counts.expired
        with self._capture.call() as clock:
            super().expire(now_s)
            if clock is not None and self.counts.expired != before:
                self._capture.write(Expired(now_s))

    def book_billing(self, bid_id: str, spend: Spend, heard_s: float, *, on_time: bool, to_beat_nanos: int = 0) -> None:
        with self._capture.call() as clock:
            super().book_billing(bid_id, spend, heard_s, on_time=on_time, to_beat_nanos=to_beat_nanos)
            if clock is not None:
                self._capture.tell_of(spend.person_ix)
                self._capture.write(Billed(bid_id, spend, heard_s, on_time, to_beat_nanos))

    def book_click(self, campaign_ix: int, person_ix: int, touch: int, shown_s: float) -> None:
        with self._capture.call() as clock:
            super().book_click(campaign_ix, person_ix, touch, shown_s)
            if clock is not None:
                self._capture.tell_of(person_ix)
                self._capture.write(Clicked(campaign_ix, person_ix, touch, shown_s))

    def book_conversion(self, product_ix: int, person_ix: int, value_nanos: int, heard_s: float) -> int:
        with self._capture.call() as clock:
            credited = super().book_conversion(product_ix, person_ix, value_nanos, heard_s)
            if clock is not None:
                self._capture.tell_of(person_ix)
                self._capture.write(Bought(product_ix, person_ix, value_nanos, heard_s, credited))
            return credited

    def renew_people(self) -> None:
        super().renew_people()
        self._capture.renewed()

    def give_up(self, bid_id: str, to_beat_nanos: int = 0) -> None:
        with self._capture.call() as clock:
            super().give_up(bid_id, to_beat_nanos)
            if clock is not None:
                self._capture.write(GivenUp(bid_id, to_beat_nanos))


def bounds_of(desk: Desk) -> Bounds:
    """What the accounts allow the desk now."""
    horizon_s = None if desk.horizon_s == math.inf else desk.horizon_s
    return Bounds(desk.book.campaigns["total_nanos"].tolist(), horizon_s, len(desk.book.persons))


def start_of(desk: Desk, plans: Sequence[CampaignPlan], paused: frozenset[str], bid_prefix: str) -> Start:
    """What a desk begins with whose book follows accounts on disk, and which has made no bid."""
    positions, now_s = list(range(len(plans))), -math.inf  # all that is remembered
    image = picture(desk.book, plans, positions, desk.directory)
    image.exposures = exposures_of(desk.book, slice(0, None), positions, now_s).tobytes()
    rows = {name: desk.book.campaigns[name].tolist() for name in PACED}
    gone = [k for k, plan in enumerate(plans) if plan.campaign_id in paused]
    return Start(encoded(image), rows, gone, bid_prefix)


def begin_with(desk: Desk, fresh: Book, plans: Sequence[CampaignPlan], start: Start) -> None:
    """Have *desk* go on with *fresh*, brought to *start*: the same to the last bit wherever it is done."""
    book = restore(fresh, decoded(start.image), plans, range(len(plans)), desk.directory)
    for name, values in start.rows.items():
        book.campaigns[name] = values
    book.campaigns["total_nanos"] = book.campaigns["spent_nanos"]
    for campaign_ix in start.paused:
        set_active(book, campaign_ix, False)
    desk.adopt(book, plans)


def decisions(response: BidResponse) -> list[Decision]:
    """What an answer decides."""
    return [
        Decision(b.id, b.impid, b.price, b.cid, b.crid, b.dealid, b.mtype, b.w, b.h)
        for seat in response.seatbid
        for b in seat.bid
    ]


def digest(book: Book) -> str:
    """SHA-256 (hexadecimal) of everything in a book that changes, value by value."""
    used = int(book.index[MEMORY_USED])
    total = hashlib.sha256()
    parts: tuple[NDArray[Any], ...] = (book.campaigns, book.cells, book.prices, book.persons, book.memory[:used])
    for part in parts:
        for name in part.dtype.names or ("",):
            if name == "strategy":  # an address in this process
                continue
            total.update(np.ascontiguousarray(part[name] if name else part).tobytes())
    return total.hexdigest()


def read_lines(path: Path) -> Iterator[tuple[int, Line]]:
    """Every line with its number, without a last one that is cut off; raises `CaptureError` for what cannot be read."""
    try:
        with path.open("rb") as file:
            for number, text in enumerate(file, start=1):
                try:
                    yield number, _DECODER.decode(text)
                except msgspec.MsgspecError as error:
                    if not text.endswith(b"\n"):
                        return  # the service was killed while it wrote
                    raise CaptureError(f"{path}:{number}: is no line of a capture ({error})") from None
    except OSError as error:
        raise CaptureError(f"{path}: cannot be read ({error.strerror}); name a file --capture has written") from None


class Verified(Struct, frozen=True):
    """What a capture held, all of it reproduced."""

    requests: int
    bids: int
    notices: int
    complete: bool
    """Whether the end is there, so that the final book was compared too."""


DeskOf = Callable[[Header, Callable[[], float], Recorded | None], Desk]
"""Makes the desk a capture began with, from its header, a clock and its people (None: the scenario's own)."""


async def verify(path: Path, desk_of: DeskOf) -> Verified:
    """Make every call again on a fresh desk; raises `CaptureError` at the first decision that differs."""
    lines = read_lines(path)
    _, header = next(lines, (0, None))
    if not isinstance(header, Header) or header.format != FORMAT:
        raise CaptureError(f"{path}:1: is no capture of format {FORMAT}")
    readings: list[float] = []
    # A program that looks at the clock more often than the captured one did sees the last reading again.
    people = None if header.people is None else Recorded(header.people)
    desk = desk_of(header, lambda: readings.pop(0) if len(readings) > 1 else readings[0], people)
    requests = bids = notices = 0
    for number, line in lines:
        place = f"{path}:{number}"
        if people is not None and isinstance(line, Asked | Told):
            people.person_ix = line.person_ix
        if isinstance(line, Asked):
            readings[:] = line.clock
            response = desk.answer(line.request)
            _compare(place, (line.bids, line.nbr), (decisions(response), response.nbr))
            requests, bids = requests + 1, bids + len(line.bids)
        elif isinstance(line, Told):
            readings[:] = line.clock
            _compare(place, line.heard, int(await desk.notice(line.notice)))
            notices += 1
        elif isinstance(line, Ticked):
            readings[:] = line.clock
            desk.tick()
        elif isinstance(line, Expired):
            desk.expire(line.now_s)
        elif isinstance(line, End):
            _compare(place, line.book, digest(desk.book))
            return Verified(requests, bids, notices, complete=True)
        elif isinstance(line, Known | Renewed):
            _meet(desk, people, place, line)
        else:
            notices += _follow(desk, place, line)
    return Verified(requests, bids, notices, complete=False)


def _meet(desk: Desk, people: Recorded | None, place: str, line: Known | Renewed) -> None:
    """Take in what the capture tells of people."""
    if people is None:
        raise CaptureError(f"{place}: is about people of an audience, which the header does not name")
    if isinstance(line, Known):
        people.learn(line)
        return
    people.renew(line)
    desk.renew_people()


def _follow(desk: Desk, place: str, line: Line) -> bool:
    """Do what the accounts did to the desk; whether it was a notice."""
    if isinstance(line, Bounds):
        desk.book.campaigns["total_nanos"] = line.total_nanos
        desk.horizon_s = math.inf if line.horizon_s is None else line.horizon_s
        if line.people is not None:
            desk.book = with_people(desk.book, line.people)
        return False
    if isinstance(line, Billed):
        desk.book_billing(line.bid_id, line.spend, line.heard_s, on_time=line.on_time, to_beat_nanos=line.to_beat_nanos)
    elif isinstance(line, Clicked):
        desk.book_click(line.campaign_ix, line.person_ix, line.touch, line.shown_s)
    elif isinstance(line, Bought):
        credited = desk.book_conversion(line.product_ix, line.person_ix, line.value_nanos, line.heard_s)
        _compare(place, line.campaign_ix, credited)
    elif isinstance(line, GivenUp):
        desk.give_up(line.bid_id, line.to_beat_nanos)
    return True


def _compare(place: str, captured: Any, now: Any) -> None:
    if captured != now:
        raise CaptureError(f"{place}: differs: captured {captured}, now {now}")
