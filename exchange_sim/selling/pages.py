"""Pages with several slots sold at once: generalised second price and Vickrey-Clarke-Groves, with rivals kept apart.

Bids are int64 nanos per click (or per impression, with visibilities as click rates), slots are ordered by their rates.
An advertiser has one ad per page at most; with separation no two ads of a category share a page. Formulas: Edelman,
Ostrovsky and Schwarz (2007).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal, NamedTuple

from exchange_sim.draws import COIN, bits, name_key

Tie = Literal["first", "last", "coin"]


class Ad(NamedTuple):
    """One advertiser's bid for a page."""

    advertiser: str
    bid_nanos: int
    category: str = ""
    """Ads of one category are kept apart; "": of none."""


class Placed(NamedTuple):
    """An ad in a slot."""

    slot: int
    advertiser: str
    per_click_nanos: int
    """What it pays per click, rounded down to a nano."""


def rank(ads: Sequence[Ad], tie: Tie = "first", page: str = "") -> list[Ad]:
    """Ads from the highest bid down. Equal bids: as listed, in reverse, or by a hash of page and advertiser."""
    listed = list(enumerate(ads))
    if tie == "coin":
        key = name_key(page)
        luck = [int(bits(key + name_key(ad.advertiser), COIN)) for ad in ads]
        listed.sort(key=lambda at: (-at[1].bid_nanos, luck[at[0]]))
    else:
        listed.sort(key=lambda at: (-at[1].bid_nanos, at[0] if tie == "first" else -at[0]))
    return [ad for _, ad in listed]


def kept_apart(ranked: Sequence[Ad]) -> list[Ad]:
    """Of each category only the highest ad: no page shows a second one, so the others never stand in a best page."""
    shown: set[str] = set()
    kept = []
    for ad in ranked:
        if not ad.category or ad.category not in shown:
            kept.append(ad)
            shown.add(ad.category)
    return kept


def gsp(
    ads: Sequence[Ad], clicks: Sequence[float], reserve_nanos: int = 0, *, tie: Tie = "first", page: str = ""
) -> list[Placed]:
    """Generalised second price: the k-th highest bid has the k-th slot and pays the next bid, at least the reserve.

    *clicks*: expected clicks of each slot, falling. The next bid is that of the best ad that could stand there instead:
    one of the same category may.
    """
    _check(clicks)
    ranked = [ad for ad in rank(ads, tie, page) if ad.bid_nanos >= reserve_nanos and ad.bid_nanos > 0]
    shown = kept_apart(ranked)[: len(clicks)]
    placed = []
    for slot, ad in enumerate(shown):
        above = shown[:slot]
        taken = {other.category for other in above if other.category}
        waiting = [
            other.bid_nanos
            for other in ranked
            if other is not ad and not any(other is one for one in above) and other.category not in taken
        ]
        placed.append(Placed(slot, ad.advertiser, max([reserve_nanos, *waiting[:1]])))
    return placed


def vcg(
    ads: Sequence[Ad], clicks: Sequence[float], reserve_nanos: int = 0, *, tie: Tie = "first", page: str = ""
) -> list[Placed]:
    """Vickrey-Clarke-Groves: the best page, and each pays what its presence costs the others, at least the reserve."""
    _check(clicks)
    ranked = [ad for ad in rank(ads, tie, page) if ad.bid_nanos >= reserve_nanos and ad.bid_nanos > 0]
    shown = kept_apart(ranked)[: len(clicks)]
    worth = _worth(shown, clicks)
    placed = []
    for slot, ad in enumerate(shown):
        without = kept_apart([other for other in ranked if other is not ad])[: len(clicks)]
        cost = _worth(without, clicks) - (worth - ad.bid_nanos * clicks[slot])
        # Rounded to a millionth of a nano first, so that sums of floats cannot lose a whole one.
        placed.append(Placed(slot, ad.advertiser, max(reserve_nanos, int(round(cost / clicks[slot], 6)))))
    return placed


def _worth(shown: Sequence[Ad], clicks: Sequence[float]) -> float:
    return sum(ad.bid_nanos * rate for ad, rate in zip(shown, clicks, strict=False))


def _check(clicks: Sequence[float]) -> None:
    """Raises ValueError when the slots are not ordered, or one is never clicked."""
    if any(later > earlier for earlier, later in pairwise(clicks)) or any(c <= 0 for c in clicks):
        raise ValueError("clicks: slots are listed from the most clicked to the least, each above 0")
