"""The only writers of the book: reserve, withdraw, win, release, late win, book spend, buy, lose, click, convert, tick.

A bid in flight is reserved: it holds its money (charged to the day it was made in) and counts as an exposure, until a
win turns it into spend or a loss or expiry releases it. So latency can never overspend or break a cap.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bidder.core.book import (
    CELL_CLICKS,
    CELL_CONVERSIONS,
    CELL_WINS,
    ROW_ACTIVE,
    Book,
)
from bidder.core.budgets import affordable
from bidder.core.clock import day_ix
from bidder.core.codes import GOAL_ROAS, METHOD_POOLED
from bidder.core.curves import hear_auction, learn_curve
from bidder.core.kernel import kernel
from bidder.core.live import worth_of
from bidder.core.memory import IN_FLIGHT_S, forget_in_flight, remember
from bidder.core.pacing import pace_auction, pace_tick
from bidder.core.pooling import pool_rates
from bidder.core.pricing import learn_basket, learn_rates, list_prices
from bidder.core.rates import learn_models, teach_click, teach_exposure, teach_purchase
from bidder.core.touch import slot_of

_ONE = np.uint64(1)
_LOW6 = np.uint64(63)


@kernel
def _enter_day(book: Book, campaign_ix: int, today_ix: int) -> None:
    """Begin a new day in the campaign's account; days never run backwards."""
    campaigns = book.campaigns
    if today_ix > campaigns["day_ix"][campaign_ix]:
        campaigns["day_ix"][campaign_ix] = today_ix
        campaigns["spent_day_nanos"][campaign_ix] = 0
        campaigns["reserved_day_nanos"][campaign_ix] = 0


@kernel
def reserve(book: Book, campaign_ix: int, person_ix: int, touch: int, bid_nanos: int, now_s: float) -> int:
    """Hold *bid_nanos* and one exposure for a bid just sent; returns the day it is charged to."""
    today_ix = day_ix(book.index, now_s)
    _enter_day(book, campaign_ix, today_ix)
    book.campaigns["reserved_nanos"][campaign_ix] += bid_nanos
    book.campaigns["reserved_day_nanos"][campaign_ix] += bid_nanos
    if person_ix >= 0:
        remember(book, person_ix, campaign_ix, touch, IN_FLIGHT_S, now_s)
    return today_ix


@kernel
def _give_back(book: Book, campaign_ix: int, person_ix: int, bid_nanos: int, bid_day_ix: int) -> None:
    """End a reservation."""
    book.campaigns["reserved_nanos"][campaign_ix] -= bid_nanos
    if book.campaigns["day_ix"][campaign_ix] == bid_day_ix:
        book.campaigns["reserved_day_nanos"][campaign_ix] -= bid_nanos
    if person_ix >= 0:
        forget_in_flight(book, person_ix, campaign_ix)


@kernel
def withdraw(book: Book, campaign_ix: int, person_ix: int, bid_nanos: int, bid_day_ix: int) -> None:
    """Give back what a bid held that was never sent: no auction, nothing to learn."""
    _give_back(book, campaign_ix, person_ix, bid_nanos, bid_day_ix)


@kernel
def release(book: Book, campaign_ix: int, person_ix: int, bid_nanos: int, bid_day_ix: int, to_beat_nanos: int) -> None:
    """Give back what a lost or expired bid held; *to_beat_nanos* as `bidder.core.curves.hear_auction` takes it."""
    _give_back(book, campaign_ix, person_ix, bid_nanos, bid_day_ix)
    pace_auction(book.campaigns, campaign_ix, 0, 1)
    hear_auction(book.campaigns, campaign_ix, bid_nanos, 0, False, to_beat_nanos)


@kernel
def _spend(
    book: Book, campaign_ix: int, person_ix: int, touch: int, price_nanos: int, bid_day_ix: int, now_s: float
) -> None:
    """Book one bought impression."""
    campaigns = book.campaigns
    campaigns["spent_nanos"][campaign_ix] += price_nanos
    if campaigns["day_ix"][campaign_ix] == bid_day_ix:
        campaigns["spent_day_nanos"][campaign_ix] += price_nanos
    campaigns["wins"][campaign_ix] += 1
    campaigns["changed"][campaign_ix] = 1
    book.cells[campaign_ix, slot_of(touch), CELL_WINS] += 1.0
    if campaigns["target_share"][campaign_ix] > 0.0:
        campaigns["bought_worth"][campaign_ix] += worth_of(book, campaign_ix, person_ix, touch, now_s)
    if campaigns["method"][campaign_ix] >= METHOD_POOLED:
        teach_exposure(book, campaign_ix, person_ix, touch, now_s)
    if person_ix >= 0:
        remember(book, person_ix, campaign_ix, touch, now_s, now_s)


@kernel
def win(
    book: Book,
    campaign_ix: int,
    person_ix: int,
    touch: int,
    bid_nanos: int,
    price_nanos: int,
    bid_day_ix: int,
    to_beat_nanos: int,
    now_s: float,
) -> None:
    """Turn a reservation into spend; the price never exceeds the bid it held. *to_beat_nanos* as in `release`."""
    _give_back(book, campaign_ix, person_ix, bid_nanos, bid_day_ix)
    _spend(book, campaign_ix, person_ix, touch, price_nanos, bid_day_ix, now_s)
    pace_auction(book.campaigns, campaign_ix, price_nanos, 1)
    hear_auction(book.campaigns, campaign_ix, bid_nanos, price_nanos, True, to_beat_nanos)


@kernel
def late_win(book: Book, campaign_ix: int, person_ix: int, touch: int, price_nanos: int, now_s: float) -> bool:
    """Book a win whose reservation had expired, charged to today, if both budgets still have room; else refuse it."""
    today_ix = day_ix(book.index, now_s)
    if not affordable(book.campaigns, campaign_ix, price_nanos, today_ix):
        return False
    _enter_day(book, campaign_ix, today_ix)
    _spend(book, campaign_ix, person_ix, touch, price_nanos, today_ix, now_s)
    pace_auction(book.campaigns, campaign_ix, price_nanos, 0)
    return True


@kernel
def book_spend(
    book: Book, campaign_ix: int, person_ix: int, touch: int, price_nanos: int, bid_day_ix: int, now_s: float
) -> None:
    """Book a bought impression that holds nothing in this book and that was found affordable elsewhere.

    Pacing does not hear of it: it answers for the auctions of this book.
    """
    _enter_day(book, campaign_ix, bid_day_ix)
    _spend(book, campaign_ix, person_ix, touch, price_nanos, bid_day_ix, now_s)


@kernel
def buy(book: Book, campaign_ix: int, person_ix: int, touch: int, price_nanos: int, now_s: float) -> None:
    """Reserve and win in one step: what both amount to when no time passes between them.

    But for what the bid tells of the market, which `bidder.core.curves.hear_auction` takes.
    """
    today_ix = day_ix(book.index, now_s)
    _enter_day(book, campaign_ix, today_ix)
    _spend(book, campaign_ix, person_ix, touch, price_nanos, today_ix, now_s)
    pace_auction(book.campaigns, campaign_ix, price_nanos, 1)


@kernel
def lose(book: Book, campaign_ix: int) -> None:
    """Reserve and release in one step, as `buy` is: what both amount to when no time passes between them."""
    pace_auction(book.campaigns, campaign_ix, 0, 1)


@kernel
def click(book: Book, campaign_ix: int, person_ix: int, touch: int, shown_s: float) -> None:
    """Count a click on an ad of this campaign, shown at *shown_s* in the slot and context of *touch*."""
    book.campaigns["clicks"][campaign_ix] += 1
    book.campaigns["changed"][campaign_ix] = 1
    book.cells[campaign_ix, slot_of(touch), CELL_CLICKS] += 1.0
    if book.campaigns["method"][campaign_ix] >= METHOD_POOLED:
        teach_click(book, campaign_ix, person_ix, touch, shown_s)


@kernel
def _last_touch(book: Book, product_ix: int, person_ix: int, now_s: float) -> int:
    """Entry in memory of the product's latest exposure inside its campaign's look-back, -1: none.

    Slots of one page are seen in one moment: the last of them counts as the latest.
    """
    best_at, best_s = -1, -np.inf
    if person_ix < 0:
        return -1
    start = book.persons["start"][person_ix]
    for at in range(start, start + book.persons["count"][person_ix]):
        campaign_ix, time_s = book.memory["campaign_ix"][at], book.memory["time_s"][at]
        if book.campaigns["product_ix"][campaign_ix] != product_ix or time_s == IN_FLIGHT_S:
            continue
        if time_s < best_s or time_s < now_s - book.campaigns["lookback_s"][campaign_ix]:
            continue
        if time_s > best_s or _is_further(book.memory, at, best_at):
            best_at, best_s = at, time_s
    return best_at


@kernel
def _is_further(memory: NDArray[np.void], a: int, b: int) -> bool:
    """Whether of two exposures in one moment *a* comes after *b*: its slot, or in one slot its campaign."""
    slot_a, slot_b = slot_of(memory["touch"][a]), slot_of(memory["touch"][b])
    return bool(slot_a > slot_b or (slot_a == slot_b and memory["campaign_ix"][a] > memory["campaign_ix"][b]))


@kernel
def convert(book: Book, product_ix: int, person_ix: int, value_nanos: int, now_s: float) -> int:
    """Credit a purchase by last touch; returns the campaign credited or -1. Nobody here knows what caused it."""
    at = _last_touch(book, product_ix, person_ix, now_s)
    if at < 0:
        return -1
    campaign_ix = book.memory["campaign_ix"][at]
    book.campaigns["conversions"][campaign_ix] += 1
    book.campaigns["changed"][campaign_ix] = 1
    book.campaigns["conversion_nanos"][campaign_ix] += value_nanos
    touch = book.memory["touch"][at]
    book.cells[campaign_ix, slot_of(touch), CELL_CONVERSIONS] += 1.0
    if book.campaigns["method"][campaign_ix] >= METHOD_POOLED:
        teach_purchase(book, campaign_ix, person_ix, touch, book.memory["time_s"][at], now_s)
    return campaign_ix


@kernel
def tick(book: Book, now_s: float) -> None:
    """Once per control interval: retire ended campaigns, steer pacing, refresh learned rates and their price lists."""
    campaigns = book.campaigns
    learn_models(book, now_s)
    for c in range(campaigns.shape[0]):
        if now_s >= campaigns["end_s"][c]:
            book.targets[book.index[ROW_ACTIVE], c >> 6] &= ~(_ONE << (np.uint64(c) & _LOW6))
            continue
        pace_tick(book, c, now_s)
        if campaigns["learned"][c] == 1 and campaigns["changed"][c] == 1:
            campaigns["changed"][c] = 0
            if campaigns["method"][c] >= METHOD_POOLED:
                pool_rates(book, c)
            else:
                learn_rates(book, c)
            if campaigns["goal"][c] == GOAL_ROAS:
                learn_basket(campaigns, c)
            list_prices(book, c)
        if campaigns["curve_learned"][c] == 1 and learn_curve(campaigns, c):
            list_prices(book, c)
