"""Substitution macros of OpenRTB 2.6 (section 4.4), in notice URLs and in markup; prices in nanos per impression.

One pass over the text: what a macro is replaced by is never looked through again. A macro whose value is not known is
removed, as the specification wants; one the specification does not know is left as it is. `${AUCTION_PRICE:B64}` asks
for an encoding: `B64` (Base64), `B64URL` (its alphabet for URLs, without padding) or `URL` (percent signs); a macro in
an encoding unknown here is removed, because its plain value would be read as something else.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from typing import NamedTuple
from urllib.parse import quote

from openrtb.money import NANOS_PER_CPM

NAMES = (
    *("AUCTION_ID", "AUCTION_BID_ID", "AUCTION_IMP_ID", "AUCTION_SEAT_ID", "AUCTION_AD_ID", "AUCTION_PRICE"),
    *("AUCTION_CURRENCY", "AUCTION_MBR", "AUCTION_LOSS", "AUCTION_MIN_TO_WIN", "AUCTION_MULTIPLIER", "AUCTION_IMP_TS"),
)
"""Every macro of the specification."""
_MACRO = re.compile(r"\$\{(" + "|".join(NAMES) + r")(?::([^{}]*))?\}")

_ENCODINGS: dict[str, Callable[[str], str]] = {
    "B64": lambda text: base64.b64encode(text.encode()).decode(),
    "B64URL": lambda text: base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode(),
    "URL": lambda text: quote(text, safe=""),
}


class Settled(NamedTuple):
    """What an auction made of one bid: the values behind the macros. None: not known, or not for this bidder."""

    auction_id: str
    imp_id: str
    bid_id: str | None = None
    """The response's own id (`bidid`)."""
    seat_id: str | None = None
    ad_id: str | None = None
    price_nanos: int | None = None
    """The clearing price."""
    bid_nanos: int | None = None
    """What the bid offered, for the market bid ratio."""
    currency: str | None = None
    loss: int | None = None
    """Loss reason; 0 when it won."""
    min_to_win_nanos: int | None = None
    multiplier: float | None = None
    imp_ts_ms: int | None = None

    def values(self) -> dict[str, str]:
        """The text of every macro."""
        ratio = None
        if self.price_nanos is not None and self.bid_nanos:
            ratio = f"{self.price_nanos / self.bid_nanos:.6g}"
        known = (
            *(self.auction_id, self.bid_id, self.imp_id, self.seat_id, self.ad_id, _price(self.price_nanos)),
            *(self.currency, ratio, self.loss, _price(self.min_to_win_nanos), self.multiplier, self.imp_ts_ms),
        )
        return {name: "" if value is None else str(value) for name, value in zip(NAMES, known, strict=True)}


def price_text(nanos: int) -> str:
    """A price in CPM, every nano of it and no exponent: 910000 is `0.91`."""
    whole, rest = divmod(nanos, NANOS_PER_CPM)
    return f"{whole}.{rest:06d}".rstrip("0").rstrip(".")


def substitute_markup(text: str, values: Mapping[str, str]) -> str:
    """Markup with its macros replaced, values as they are."""
    return _substituted(text, values, str)


def substitute_url(url: str, values: Mapping[str, str]) -> str:
    """A URL with its macros replaced; values are percent-encoded, so that none can add a parameter."""
    return _substituted(url, values, lambda value: quote(value, safe=""))


def _substituted(text: str, values: Mapping[str, str], finish: Callable[[str], str]) -> str:
    def value_of(found: re.Match[str]) -> str:
        value, encoding = values.get(found[1], ""), found[2]
        if encoding is None:
            return finish(value)
        return finish(_ENCODINGS[encoding](value)) if encoding in _ENCODINGS and value else ""

    return _MACRO.sub(value_of, text)


def _price(nanos: int | None) -> str | None:
    return None if nanos is None else price_text(nanos)
