"""The fused loop: arrivals, decisions, clearing, booking and outcomes of a stretch of time in compiled code."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bidder.core.book import Book
from bidder.core.clock import hour_of_week
from bidder.core.codes import BID
from bidder.core.decide import decide
from bidder.core.memory import block_entries, free_entries
from bidder.core.settle import buy, click, convert, lose
from bidder.core.touch import touch
from exchange_sim.auction import clear
from exchange_sim.identities import purchase_cookie
from exchange_sim.kernel import kernel
from exchange_sim.outcomes import expose
from exchange_sim.pending import drop_first
from exchange_sim.prefetch import prefetch
from exchange_sim.rivals import best_rival_nanos, second_rival_nanos
from exchange_sim.traffic import draw_opportunities, draw_signals
from exchange_sim.world import SECOND_PRICE, World
from experiments.ledger import (
    FATE_OUTBID,
    FATE_WON,
    PRICE_BIDS,
    PRICE_MARKET,
    PRICE_WINS,
    RESULT_OUTBID,
    RESULT_WON,
    SLOT_REQUESTS,
    SLOT_REVENUE,
    SLOT_SOLD,
    Tallies,
    price_bin,
)


class Desk(NamedTuple):
    """Working arrays of the loop; their contents matter only between its calls where said so."""

    opportunities: NDArray[np.void]
    """OPPORTUNITY[block]."""
    impression: NDArray[np.void]
    """IMPRESSION[1]: the request as the bidder sees it."""
    signals: NDArray[np.int64]
    """int64[V]: private values of the request."""
    cursor: NDArray[np.float64]
    """float64[2]: auctions so far, time of the last one (kept)."""
    pending: NDArray[np.void]
    """PENDING[]: heap of purchases to come (kept)."""
    pending_size: NDArray[np.int64]
    """int64[1] (kept)."""
    exposures: NDArray[np.void]
    """EXPOSURE[]: filled from 0 on."""
    purchases: NDArray[np.void]
    """PURCHASE[]: filled from 0 on."""
    units: NDArray[np.int64]
    """int64[cookies]: the bidder's row of each cookie; int64[0]: the cookie's own number."""
    filled: NDArray[np.int64]
    """int64[3]: exposures and purchases filled so far (the caller empties the purchases and resets theirs); REACHED."""


FILLED_EXPOSURES, FILLED_PURCHASES, REACHED = 0, 1, 2
PERSONS_AHEAD, LISTS_AHEAD = 16, 8
"""How many auctions before their own people's memory is asked for: a list can only be found once its person is here."""
ENTRIES_PER_LINE = 4
"""Entries of a list in one cache line."""


@kernel
def see(world: World, book: Book, opps: NDArray[np.void], i: int, imps: NDArray[np.void]) -> None:
    """Write into imps[0] what the bidder may know of opportunity *i*: the person only with consent."""
    slot_ix = opps["slot_ix"][i]
    time_s = opps["time_s"][i]
    imps["now_s"][0] = time_s
    imps["person_ix"][0] = opps["buyer_ix"][i] if opps["consent"][i] == 1 else -1
    imps["floor_nanos"][0] = world.slots["floor_nanos"][slot_ix]
    imps["deal_floor_nanos"][0] = world.slots["deal_floor_nanos"][slot_ix]
    imps["deal_ix"][0] = world.slots["deal_ix"][slot_ix]
    imps["publisher_ix"][0] = world.slots["publisher_ix"][slot_ix]
    imps["format_ix"][0] = world.slots["format_ix"][slot_ix]
    imps["slot_ix"][0] = slot_ix
    imps["request_no"][0] = opps["auction_ix"][i]
    imps["place_ix"][0] = opps["place_ix"][i]
    imps["device_ix"][0] = opps["device_ix"][i]
    imps["lat"][0] = opps["lat"][i]
    imps["lon"][0] = opps["lon"][i]
    imps["hour"][0] = hour_of_week(book.index, time_s)


@kernel
def known_person(world: World, units: NDArray[np.int64], product_ix: int, person_ix: int, time_s: float) -> int:
    """Who bought, as the bidder numbers them by the cookie they bought with: -1 without consent."""
    if world.homes["consent"][person_ix] != 1:
        return -1
    cookie_ix = purchase_cookie(world, product_ix, person_ix, time_s)
    return units[cookie_ix] if units.shape[0] > 0 else cookie_ix


@kernel
def deliver_purchases(world: World, book: Book, desk: Desk, until_s: float) -> None:
    """Tell the bidder of every purchase due before *until_s* and record it with its label."""
    while desk.pending_size[0] > 0 and desk.pending["due_s"][0] < until_s:
        at = desk.filled[FILLED_PURCHASES]
        desk.filled[FILLED_PURCHASES] += 1
        due_s, person_ix = desk.pending["due_s"][0], desk.pending["person_ix"][0]
        product_ix, value = desk.pending["product_ix"][0], desk.pending["value_nanos"][0]
        desk.purchases["time_s"][at] = due_s
        desk.purchases["person_ix"][at] = person_ix
        desk.purchases["value_nanos"][at] = value
        desk.purchases["product_ix"][at] = product_ix
        desk.purchases["auction_ix"][at] = desk.pending["auction_ix"][0]
        desk.purchases["caused_by_ix"][at] = desk.pending["campaign_ix"][0]
        known_ix = known_person(world, desk.units, product_ix, person_ix, due_s)
        desk.purchases["attributed_ix"][at] = convert(book, product_ix, known_ix, value, due_s)
        drop_first(desk.pending, desk.pending_size)


@kernel
def record_market(world: World, tallies: Tallies, slot_ix: int, best_nanos: int, won: bool, revenue_nanos: int) -> None:
    """Count a request for its seller: the price to beat, whether anybody bought, and what it earned (maybe nothing)."""
    floor_nanos = world.slots["floor_nanos"][slot_ix]
    market_nanos = max(best_nanos, floor_nanos)
    tallies.prices[world.slots["publisher_ix"][slot_ix], price_bin(market_nanos), PRICE_MARKET] += 1
    tallies.slots[slot_ix, SLOT_REQUESTS] += 1
    if won or (best_nanos > 0 and best_nanos >= floor_nanos):
        tallies.slots[slot_ix, SLOT_SOLD] += 1
        tallies.slots[slot_ix, SLOT_REVENUE] += revenue_nanos


@kernel
def record_bid(world: World, tallies: Tallies, campaign_ix: int, slot_ix: int, bid_nanos: int, won: bool) -> None:
    """Count a bid that reached the auction in time."""
    publisher_ix = world.slots["publisher_ix"][slot_ix]
    at = price_bin(bid_nanos)
    tallies.prices[publisher_ix, at, PRICE_BIDS] += 1
    if won:
        tallies.prices[publisher_ix, at, PRICE_WINS] += 1
        tallies.results[campaign_ix, RESULT_WON] += 1
    else:
        tallies.results[campaign_ix, RESULT_OUTBID] += 1


@kernel
def clear_opportunity(
    world: World, opps: NDArray[np.void], i: int, bid_nanos: int, via_deal: bool, tallies: Tallies
) -> tuple[bool, int]:
    """Clear opportunity *i* against its rivals (bid 0: ours is absent); returns (won, price)."""
    slot_ix, key = opps["slot_ix"][i], opps["key"][i]
    rivals_ix = world.slots["rivals_ix"][slot_ix]
    open_floor = world.slots["floor_nanos"][slot_ix]
    our_floor = world.slots["deal_floor_nanos"][slot_ix] if via_deal else open_floor
    best = best_rival_nanos(world, rivals_ix, key)
    second = 0
    if world.auction_kind == SECOND_PRICE and bid_nanos <= best:
        second = second_rival_nanos(world, rivals_ix, key)
    won, price, revenue = clear(world.auction_kind, world.tie, key, bid_nanos, our_floor, open_floor, best, second)
    record_market(world, tallies, slot_ix, best, won, revenue)
    return won, price


@kernel
def record_exposure(
    opps: NDArray[np.void],
    i: int,
    exposures: NDArray[np.void],
    at: int,
    campaign_ix: int,
    bid: int,
    price: int,
    worth: int,
) -> None:
    """Write the ledger row of a bought impression; whether it was clicked and booked is filled in by the caller."""
    exposures["auction_ix"][at] = opps["auction_ix"][i]
    exposures["time_s"][at] = opps["time_s"][i]
    exposures["person_ix"][at] = opps["person_ix"][i]
    exposures["slot_ix"][at] = opps["slot_ix"][i]
    exposures["device_ix"][at] = opps["device_ix"][i]
    exposures["consent"][at] = opps["consent"][i]
    exposures["campaign_ix"][at] = campaign_ix
    exposures["bid_nanos"][at] = bid
    exposures["price_nanos"][at] = price
    exposures["worth_nanos"][at] = worth


@kernel
def _run_auction(world: World, book: Book, rows: NDArray[np.uint64], desk: Desk, tallies: Tallies, i: int) -> None:
    """One impression opportunity from request to outcome."""
    opps, imps = desk.opportunities, desk.impression
    see(world, book, opps, i, imps)
    draw_signals(world, opps["key"][i], desk.signals)
    campaign_ix, bid, worth, fate = decide(book, rows[opps["buyer_ix"][i]], imps, 0, desk.signals, tallies.reasons)
    via_deal = campaign_ix >= 0 and book.campaigns["via_deal"][campaign_ix] == 1
    won, price = clear_opportunity(world, opps, i, bid, via_deal, tallies)
    if fate == BID:
        slot_ix = opps["slot_ix"][i]
        record_bid(world, tallies, campaign_ix, slot_ix, bid, won)
        fate = FATE_WON if won else FATE_OUTBID
        if won:
            context = touch(book, campaign_ix, imps, 0)
            buy(book, campaign_ix, imps["person_ix"][0], context, price, opps["time_s"][i])
            at = desk.filled[FILLED_EXPOSURES]
            desk.filled[FILLED_EXPOSURES] += 1
            record_exposure(opps, i, desk.exposures, at, campaign_ix, bid, price, worth)
            clicked = expose(world, opps, i, campaign_ix, desk.pending, desk.pending_size)
            desk.exposures["clicked"][at] = clicked
            desk.exposures["billed"][at] = 1
            if clicked:
                click(book, campaign_ix, imps["person_ix"][0], context, opps["time_s"][i])
        else:
            lose(book, campaign_ix)
    tallies.fates[int(opps["time_s"][i] / 3600.0), fate] += 1


@kernel
def _ask_for_person(world: World, book: Book, rows: NDArray[np.uint64], opps: NDArray[np.void], i: int) -> None:
    """Ask for what is known of the person of opportunity *i*, on either side of the market."""
    person_ix, buyer_ix = opps["person_ix"][i], opps["buyer_ix"][i]
    prefetch(rows, buyer_ix)
    prefetch(book.persons, buyer_ix)
    prefetch(world.interests, person_ix)
    prefetch(world.stock, person_ix)


@kernel
def _ask_for_list(book: Book, buyer_ix: int) -> None:
    """Ask for what a person has seen, and for where the next exposure goes."""
    start = book.persons["start"][buyer_ix]
    for at in range(start, start + book.persons["count"][buyer_ix] + 1, ENTRIES_PER_LINE):
        prefetch(book.memory, at)


@kernel
def look_ahead(world: World, book: Book, rows: NDArray[np.uint64], opps: NDArray[np.void], i: int, n: int) -> None:
    """Before auction *i* of *n*: ask for the memory of people who come later, so that it is there when they do."""
    if i == 0:
        for k in range(min(n, PERSONS_AHEAD)):
            _ask_for_person(world, book, rows, opps, k)
        for k in range(min(n, LISTS_AHEAD)):
            _ask_for_list(book, opps["buyer_ix"][k])
    if i + PERSONS_AHEAD < n:
        _ask_for_person(world, book, rows, opps, i + PERSONS_AHEAD)
    if i + LISTS_AHEAD < n:
        _ask_for_list(book, opps["buyer_ix"][i + LISTS_AHEAD])


@kernel
def advance(
    world: World, book: Book, rows: NDArray[np.uint64], desk: Desk, tallies: Tallies, until_s: float, most: int
) -> int:
    """Run the auctions before *until_s*, at most *most*; returns how many were run.

    Stops early when exposure memory could run out within the next block. desk.filled[REACHED] says whether time has
    come to *until_s*. The caller guarantees room for *most* more exposures and purchases.
    """
    done = 0
    block = desk.opportunities.shape[0]
    desk.filled[REACHED] = 0
    while done < most and free_entries(book) >= block_entries(book, block):
        wanted = min(most - done, block)
        n = draw_opportunities(world, desk.opportunities, wanted, desk.cursor, until_s)
        if desk.units.shape[0] > 0:
            for i in range(n):
                desk.opportunities["buyer_ix"][i] = desk.units[desk.opportunities["cookie_ix"][i]]
        for i in range(n):
            look_ahead(world, book, rows, desk.opportunities, i, n)
            deliver_purchases(world, book, desk, desk.opportunities["time_s"][i])
            _run_auction(world, book, rows, desk, tallies, i)
        done += n
        if n < wanted:
            desk.filled[REACHED] = 1
            break
    return done
