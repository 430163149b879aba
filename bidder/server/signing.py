"""Notice URLs nobody can make up: bid and expiry signed with HMAC-SHA512, each kind with its own part of the digest.

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
"""Nobody guesses 128 bits. SHA-512 gives four times as many: one digest signs all kinds, and none tells of another."""


class Kind(Enum):
    """What a notice is about, as in its path, and the macro the exchange fills in."""

    WIN = "win"
    BILLING = "billing"
    LOSS = "loss"
    CLICK = "click"


_MACROS = {
    Kind.WIN: "&p=${AUCTION_PRICE}",
    Kind.BILLING: "&p=${AUCTION_PRICE}",
    Kind.LOSS: "&l=${AUCTION_LOSS}",
    Kind.CLICK: "",
}
_PARTS = {kind: slice(k * SIGNATURE_BYTES, (k + 1) * SIGNATURE_BYTES) for k, kind in enumerate(Kind)}


class Signer:
    """Makes and checks the queries of notice URLs. Without a key a random one: its notices end with the process."""

    def __init__(self, clock: Callable[[], float], key: bytes | None = None) -> None:
        self._clock = clock
        self._key = secrets.token_bytes(32) if key is None else key

    def queries(self, bid_id: str, lives_s: float) -> dict[Kind, str]:
        """The queries of a bid's notice URLs, good for *lives_s* seconds, macros included."""
        expires = str(int(self._clock() + lives_s))
        digest = self._digest(bid_id, expires)
        return {kind: f"b={bid_id}&x={expires}&s={_signature(digest, kind)}{_MACROS[kind]}" for kind in Kind}

    def bid_id(self, kind: Kind, query: Mapping[str, str]) -> str:
        """The bid a notice is about.

        Raises `NoticeUnreadable` when a part is missing, `NoticeForged` when the signature is not ours for this kind,
        bid and expiry, and `NoticeExpired`.
        """
        try:
            bid_id, expires, given = query["b"], query["x"], query["s"]
        except KeyError as missing:
            raise NoticeUnreadable(f"the notice has no parameter {missing}") from None
        expected = _signature(self._digest(bid_id, expires), kind)
        if not hmac.compare_digest(expected.encode(), given.encode("utf-8", "surrogateescape")):
            raise NoticeForged("the notice is not signed by this bidder")
        if self._clock() > int(expires):
            raise NoticeExpired("the notice is too old")
        return bid_id

    def _digest(self, bid_id: str, expires: str) -> bytes:
        # Neither part of what we sign holds a line break; one in a forged query changes nothing, as it is not ours.
        return hmac.digest(self._key, f"{bid_id}\n{expires}".encode("utf-8", "surrogateescape"), "sha512")


def _signature(digest: bytes, kind: Kind) -> str:
    return base64.urlsafe_b64encode(digest[_PARTS[kind]]).rstrip(b"=").decode()
