"""Notice URLs nobody can make up: a bid's ticket and expiry signed with HMAC-SHA512, each kind with its own part of
the digest; conversions signed by the advertiser's server with a key of their own.

Times are Unix seconds. What the exchange fills in later (price, loss reason, minimum to win) cannot be signed; prices
are checked against the bid and its floor instead.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from binascii import b2a_base64
from collections.abc import Callable, Mapping
from enum import Enum
from typing import NamedTuple
from urllib.parse import urlencode

from msgspec import Struct

from bidder.errors import NoticeExpired, NoticeForged, NoticeUnreadable
from openrtb.notices import Conversion

SIGNATURE_BYTES = 15
"""Nobody guesses 120 bits. SHA-512 gives four times as many: one digest signs all kinds, and none tells of another."""
LETTERS = 20
"""Of a signature in base64: a multiple of three bytes, so that the digest is encoded in one go."""


class Kind(Enum):
    """What a notice is about, as in its path."""

    WIN = "win"
    BILLING = "billing"
    LOSS = "loss"
    CLICK = "click"


class Signed(NamedTuple):
    """What a bid's notice URLs are made of, in ASCII."""

    query: bytes
    """What all begin with: bid, expiry and ticket."""
    signatures: bytes
    """Those of all kinds, one after the other in the order of `Kind`."""


_PARTS = {kind: slice(k * LETTERS, (k + 1) * LETTERS) for k, kind in enumerate(Kind)}
_FILLED_IN = {
    Kind.WIN: "&p=${AUCTION_PRICE}",
    Kind.BILLING: "&p=${AUCTION_PRICE}&m=${AUCTION_MIN_TO_WIN}",
    Kind.LOSS: "&l=${AUCTION_LOSS}&m=${AUCTION_MIN_TO_WIN}",
}
"""What the exchange adds."""
_URL_SAFE = bytes.maketrans(b"+/", b"-_")
_BLOCK = 128
"""Bytes SHA-512 works on."""


class Ticket(Struct, frozen=True, gc=False):
    """A bid in its own notice URLs: enough to book it where nothing else is known of it.

    `campaign_no` is the number the accounts know the campaign by, `made_ms` is cut to the millisecond below; the price
    lies between `least_nanos` and `most_nanos` (`bidder.charges`).
    """

    bid_id: str
    campaign_no: int
    person_ix: int
    touch: int
    most_nanos: int
    least_nanos: int
    day_ix: int
    made_ms: int


class Signer:
    """Makes and checks the queries of notice URLs. Without a key a random one: its notices end with the process.

    *conversion_key* is what advertisers sign with; without one no conversion is believed.
    """

    def __init__(
        self, clock: Callable[[], float], key: bytes | None = None, conversion_key: bytes | None = None
    ) -> None:
        self._clock = clock
        inner, outer = _pads(secrets.token_bytes(32) if key is None else key)
        self._inner, self._outer = hashlib.sha512(inner), hashlib.sha512(outer)
        self._conversion_key = secrets.token_bytes(32) if conversion_key is None else conversion_key

    def signed(self, ticket: Ticket, lives_s: float) -> Signed:
        """A bid's ticket as its notice URLs carry it, good for *lives_s* seconds."""
        expires, data = str(int(self._clock() + lives_s)), _packed(ticket)
        signatures = self._signatures(ticket.bid_id, expires, data)
        return Signed(f"b={ticket.bid_id}&x={expires}&d={data}&s=".encode(), signatures)

    def ticket(self, kind: Kind, query: Mapping[str, str]) -> Ticket:
        """The bid a notice is about.

        Raises `NoticeUnreadable` when a part is missing, `NoticeForged` when the signature is not ours for this kind,
        bid and expiry, and `NoticeExpired`.
        """
        try:
            bid_id, expires, data, given = query["b"], query["x"], query["d"], query["s"]
        except KeyError as missing:
            raise NoticeUnreadable(f"the notice has no parameter {missing}") from None
        expected = self._signatures(bid_id, expires, data)[_PARTS[kind]]
        self._check(expected, given, expires)
        return Ticket(bid_id, *(int(number) for number in data.split(".")))

    def conversion_query(self, conversion: Conversion, lives_s: float) -> str:
        """The query of a conversion's URL: `i` id, `c` product, `u` user (empty: unknown), `v` value, `x` expiry, `s`.

        The signature is the first 16 bytes, in URL-safe base64 without padding, of HMAC-SHA512 with the conversion key
        over `i=…&c=…&u=…&v=…&x=…` as form-encoded.
        """
        expires = str(int(self._clock() + lives_s))
        user = conversion.user_id or ""
        return self._conversion_signed(conversion.id, conversion.product_id, user, repr(conversion.value), expires)

    def conversion(self, query: Mapping[str, str]) -> Conversion:
        """The conversion a notice tells of; raises as `ticket` does."""
        try:
            told = [query[name] for name in "icuvx"]
            given = query["s"]
        except KeyError as missing:
            raise NoticeUnreadable(f"the notice has no parameter {missing}") from None
        self._check(self._conversion_signed(*told).rpartition("=")[2].encode(), given, told[4])
        try:
            value = float(told[3])
        except ValueError:
            raise NoticeUnreadable("the value is no number") from None
        return Conversion(told[0], told[1], told[2] or None, value)

    def _check(self, expected: bytes, given: str, expires: str) -> None:
        if not hmac.compare_digest(expected, given.encode("utf-8", "surrogateescape")):
            raise NoticeForged("the notice is not signed for this bidder")
        if not expires.isascii() or not expires.isdigit():  # an advertiser signs what it likes
            raise NoticeUnreadable("the expiry is no Unix time")
        if self._clock() > int(expires[:20]):
            raise NoticeExpired("the notice is too old")

    def _signatures(self, bid_id: str, expires: str, data: str) -> bytes:
        """The signatures of all kinds, one after the other: HMAC (RFC 2104) over hashes that have seen the key."""
        # No part of what we sign holds a line break; one in a forged query changes nothing, as it is not ours.
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(f"{bid_id}\n{expires}\n{data}".encode("utf-8", "surrogateescape"))
        outer.update(inner.digest())
        return b2a_base64(outer.digest()[: len(Kind) * SIGNATURE_BYTES], newline=False).translate(_URL_SAFE)

    def _conversion_signed(self, *told: str) -> str:
        # Encoded again, so that no value can spill over into the next.
        text = urlencode(list(zip("icuvx", told, strict=True)), errors="surrogateescape")
        digest = hmac.digest(self._conversion_key, text.encode(), "sha512")
        signature = base64.urlsafe_b64encode(digest[:16]).rstrip(b"=").decode()
        return f"{text}&s={signature}"


def query_of(kind: Kind, signed: Signed) -> str:
    """The query of one of a bid's notice URLs, macros included."""
    return f"{signed.query.decode()}{signed.signatures[_PARTS[kind]].decode()}{_FILLED_IN.get(kind, '')}"


def _packed(ticket: Ticket) -> str:
    return (
        f"{ticket.campaign_no}.{ticket.person_ix}.{ticket.touch}.{ticket.most_nanos}.{ticket.least_nanos}"
        f".{ticket.day_ix}.{ticket.made_ms}"
    )


def _pads(key: bytes) -> tuple[bytes, bytes]:
    """What the inner and the outer hash of HMAC-SHA512 begin with."""
    padded = (key if len(key) <= _BLOCK else hashlib.sha512(key).digest()).ljust(_BLOCK, b"\0")
    return bytes(byte ^ 0x36 for byte in padded), bytes(byte ^ 0x5C for byte in padded)
