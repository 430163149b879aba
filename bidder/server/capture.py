"""A record of everything the desk was asked and told, and of what it decided: one JSON line each. Times in s.

The clock's readings are part of it, so the same calls on a fresh desk of the same scenario give the same decisions bit
for bit (`verify`). What never reached the desk (malformed bodies, forged notices, requests that were too late) is not.
Notice URLs and markup are left out: they depend on a key nobody keeps.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from bidder.core.book import MEMORY_USED, Book
from bidder.desk import Desk, Heard
from bidder.errors import CaptureError
from openrtb.messages import BidRequest, BidResponse
from openrtb.notices import Billing, Click, Conversion, Loss, Notice

FORMAT = 1


class Header(Struct, frozen=True, tag="header"):
    """What a fresh desk is made from: the resolved scenario, as text, and our number in the vendor list."""

    scenario_yaml: str
    vendor_id: int | None = None
    format: int = FORMAT


class Decision(Struct, frozen=True, array_like=True):
    """One bid without its addresses and markup (price in CPM)."""

    bid_id: str
    imp_id: str
    price: float
    campaign_id: str | None
    creative_id: str | None
    deal_id: str | None
    mtype: int | None
    w: int | None
    h: int | None


class Asked(Struct, frozen=True, tag="bid"):
    """A request and its answer."""

    clock: list[float]
    request: BidRequest
    bids: list[Decision]
    nbr: int | None


class Told(Struct, frozen=True, tag="notice"):
    """A notice and what it did (`bidder.desk.Heard`)."""

    clock: list[float]
    notice: Billing | Loss | Click | Conversion
    heard: int


class Ticked(Struct, frozen=True, tag="tick"):
    """A control interval's tick."""

    clock: list[float]


class Expired(Struct, frozen=True, tag="expire"):
    """Reservations given up by a timer."""

    now_s: float


class End(Struct, frozen=True, tag="end"):
    """The service's end: a digest of the book."""

    book: str


Line = Header | Asked | Told | Ticked | Expired | End
_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(Line)


class Capture:
    """The file, while the service writes it. Raises `CaptureError` when it cannot be made; one that exists is kept."""

    def __init__(self, path: Path, header: Header) -> None:
        try:
            self._file: BinaryIO = path.open("xb", buffering=1 << 16)
        except FileExistsError:
            raise CaptureError(f"{path}: is already there, and a capture overwrites nothing; choose another") from None
        except OSError as error:
            raise CaptureError(f"{path}: cannot be written ({error.strerror}); choose another place") from None
        self._readings: list[float] = []
        self._depth = 0
        self._desk: Desk | None = None
        self.write(header)

    def desk(self, *args: Any, clock: Callable[[], float], **options: Any) -> Desk:
        """A desk like any other that writes down what happens to it."""

        def reading() -> float:
            now_s = clock()
            self._readings.append(now_s)
            return now_s

        self._desk = _CapturingDesk(self, *args, clock=reading, **options)
        return self._desk

    def write(self, line: Line) -> None:
        """Append a line."""
        self._file.write(_ENCODER.encode(line) + b"\n")

    @contextmanager
    def call(self) -> Iterator[list[float] | None]:
        """The clock's readings during a call from outside; None within another call, which writes itself."""
        self._depth += 1
        if self._depth == 1:
            self._readings.clear()
        try:
            yield self._readings if self._depth == 1 else None
        finally:
            self._depth -= 1

    def close(self) -> None:
        """Write the end."""
        if self._desk is not None:
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
                self._capture.write(Asked(clock, request, decisions(response), response.nbr))
            return response

    async def notice(self, notice: Notice) -> Heard:
        with self._capture.call() as clock:
            heard = await super().notice(notice)
            if clock is not None:
                self._capture.write(Told(clock, notice, int(heard)))
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


async def verify(path: Path, desk_of: Callable[[Header, Callable[[], float]], Desk]) -> Verified:
    """Make every call again on a fresh desk; raises `CaptureError` at the first decision that differs."""
    lines = read_lines(path)
    _, header = next(lines, (0, None))
    if not isinstance(header, Header) or header.format != FORMAT:
        raise CaptureError(f"{path}:1: is no capture of format {FORMAT}")
    readings: list[float] = []
    # A program that looks at the clock more often than the captured one did sees the last reading again.
    desk = desk_of(header, lambda: readings.pop(0) if len(readings) > 1 else readings[0])
    requests = bids = notices = 0
    for number, line in lines:
        place = f"{path}:{number}"
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
    return Verified(requests, bids, notices, complete=False)


def _compare(place: str, captured: Any, now: Any) -> None:
    if captured != now:
        raise CaptureError(f"{place}: differs: captured {captured}, now {now}")
