"""Notice URLs nobody can make up: kind, bid and expiry signed with HMAC-SHA256.

Times are Unix seconds. What the exchange fills in later (price, loss reason) cannot be signed; it is checked against
the bid instead.
"""

from __future__ import annotations

import base64
import hmac
import secrets
from collections.abc import Callable, Mapping
from enum import Enum

from bidder.errors import NoticeExpired, NoticeForged, NoticeUnreadable

SIGNATURE_BYTES = 16
"""Of the 32 of SHA-256: nobody guesses 128 bits."""


class Kind(Enum):
    """What a notice is about, as in its path, and the macro the exchange fills in."""

    WIN = "win"
    BILLING = "billing"
    LOSS = "loss"


_MACROS = {Kind.WIN: "p=${AUCTION_PRICE}", Kind.BILLING: "p=${AUCTION_PRICE}", Kind.LOSS: "l=${AUCTION_LOSS}"}


class Signer:
    """Makes and checks the queries of notice URLs. Without a key a random one: its notices end with the process."""

    def __init__(self, clock: Callable[[], float], key: bytes | None = None) -> None:
        self._clock = clock
        self._key = secrets.token_bytes(32) if key is None else key

    def query(self, kind: Kind, bid_id: str, lives_s: float) -> str:
        """The query of a notice URL that is good for *lives_s* seconds, macro included."""
        expires = int(self._clock() + lives_s)
        return f"b={bid_id}&x={expires}&s={self._signature(kind, bid_id, str(expires))}&{_MACROS[kind]}"

    def bid_id(self, kind: Kind, query: Mapping[str, str]) -> str:
        """The bid a notice is about.

        Raises `NoticeUnreadable` when a part is missing, `NoticeForged` when the signature is not ours for this kind,
        bid and expiry, and `NoticeExpired`.
        """
        try:
            bid_id, expires, given = query["b"], query["x"], query["s"]
        except KeyError as missing:
            raise NoticeUnreadable(f"the notice has no parameter {missing}") from None
        expected = self._signature(kind, bid_id, expires)
        if not hmac.compare_digest(expected.encode(), given.encode("utf-8", "surrogateescape")):
            raise NoticeForged("the notice is not signed by this bidder")
        if self._clock() > int(expires):
            raise NoticeExpired("the notice is too old")
        return bid_id

    def _signature(self, kind: Kind, bid_id: str, expires: str) -> str:
        # Neither part of what we sign holds a line break; one in a forged query changes nothing, as it is not ours.
        text = f"{kind.value}\n{bid_id}\n{expires}".encode("utf-8", "surrogateescape")
        digest = hmac.digest(self._key, text, "sha256")[:SIGNATURE_BYTES]
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
