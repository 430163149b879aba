"""The fused loop: arrivals, decisions, clearing, booking and outcomes of a stretch of time in compiled code."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bidder.core.book import Book
from bidder.core.clock import hour_of_week
from bidder.core.codes import BID
from bidder.core.curves import hear_auction
from bidder.core.decide import decide
from bidder.core.memory import block_entries, free_entries
from bidder.core.settle import buy, click, convert, lose
from bidder.core.touch import touch
from exchange_sim.auction import clear, min_to_win
from exchange_sim.identities import purchase_cookie
from exchange_sim.kernel import entry, kernel
from exchange_sim.pending import drop_first
from exchange_sim.reaction import has_withdrawn
from exchange_sim.rivals import best_rival_nanos, second_rival_nanos
from exchange_sim.selling.rules import (
    DEAL_FLOOR,
    LOST_BELOW_FLOOR,
    LOST_SEAT,
    LOST_TO_HIGHER,
    PREFERRED,
    WAY_DEAL,
    WAY_OPEN,
)
from exchange_sim.selling.seats import is_barred
from exchange_sim.selling.separation import enter_page, leave_page
from exchange_sim.selling.terms import set_terms
from exchange_sim.selling.tiers import clear_by_rules
from exchange_sim.traffic import draw_opportunities, draw_signals
from exchange_sim.verification.clearing import clear_verified
from exchange_sim.verification.rendering import show
from exchange_sim.world import SECOND_PRICE, World
from experiments.drivers.look_ahead import look_ahead
from experiments.ledger import (
    FATE_OUTBID,
    FATE_WON,
    LOST_BID_NANOS,
    LOST_SHORT_NANOS,
    PRICE_BIDS,
    PRICE_MARKET,
    PRICE_WINS,
    RESULT_OUTBID,
    RESULT_WON,
    SALE_COUNT,
    SALE_PAID,
    SLOT_CLASHES,
    SLOT_REQUESTS,
    SLOT_RESOLD,
    SLOT_REVENUE,
    SLOT_RIVAL_BIDS,
    SLOT_SOLD,
    Tallies,
    price_bin,
)


class Desk(NamedTuple):
    """Working arrays of the loop; their contents matter only between its calls where said so."""

    opportunities: NDArray[np.void]
    """OPPORTUNITY[block]."""
    terms: NDArray[np.void]
    """TERMS[1]: how the request is offered."""
    impression: NDArray[np.void]
    """IMPRESSION[1]: the request as the bidder sees it."""
    signals: NDArray[np.int64]
    """int64[V]: private values of the request."""
    cursor: NDArray[np.float64]
    """float64[CURSOR]: see `exchange_sim.traffic.new_cursor` (kept)."""
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


@kernel
def see(
    world: World, book: Book, opps: NDArray[np.void], i: int, terms: NDArray[np.void], j: int, imps: NDArray[np.void]
) -> None:
    """Write into imps[0] what the bidder may know of opportunity *i* on terms[j]: the person only with consent."""
    slot_ix = terms["slot_ix"][j]
    time_s = opps["time_s"][i]
    imps["now_s"][0] = time_s
    imps["person_ix"][0] = opps["buyer_ix"][i] if opps["consent"][i] == 1 else -1
    imps["floor_nanos"][0] = terms["floor_nanos"][j]
    imps["deal_floor_nanos"][0] = terms["deal_floor_nanos"][j]
    imps["deal_ix"][0] = terms["deal_ix"][j]
    imps["deal_first"][0] = terms["deal_kind"][j] >= PREFERRED
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
    if world.homes["consent"][person_ix] != 1 or has_withdrawn(world.reaction, person_ix):
        return -1
    cookie_ix = purchase_cookie(world, product_ix, person_ix, time_s)
    return units[cookie_ix] if units.shape[0] > 0 else cookie_ix


@entry
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


class Sale(NamedTuple):
    """How an opportunity ended for our bid."""

    won: bool
    price_nanos: int
    way: int
    """How it was sold, to whomever."""
    to_beat_nanos: int
    """The least that would have been accepted from us, ties aside."""
    lost: int
    """Why our bid lost if it did, see `exchange_sim.selling.rules`."""


@kernel
def record_market(
    world: World,
    tallies: Tallies,
    slot_ix: int,
    seller_slot_ix: int,
    market_nanos: int,
    way: int,
    sold: bool,
    won: bool,
    revenue_nanos: int,
    best_nanos: int,
) -> None:
    """Count a request for its seller: the price to beat, whether anybody bought, and what was paid (maybe nothing)."""
    tallies.prices[world.slots["publisher_ix"][slot_ix], price_bin(market_nanos), PRICE_MARKET] += 1
    tallies.slots[slot_ix, SLOT_REQUESTS] += 1
    if slot_ix != seller_slot_ix:
        tallies.slots[seller_slot_ix, SLOT_RESOLD] += 1
    if sold:
        tallies.slots[slot_ix, SLOT_SOLD] += 1
        tallies.slots[slot_ix, SLOT_REVENUE] += revenue_nanos
        if not won:
            tallies.slots[slot_ix, SLOT_RIVAL_BIDS] += best_nanos
            if way != WAY_OPEN:  # what they bought in the open auction is the rest
                tallies.invited[slot_ix, SALE_COUNT] += 1
                tallies.invited[slot_ix, SALE_PAID] += revenue_nanos


@kernel
def record_bid(world: World, tallies: Tallies, campaign_ix: int, slot_ix: int, bid_nanos: int, sale: Sale) -> None:
    """Count a bid that reached the auction in time, and why it lost."""
    publisher_ix = world.slots["publisher_ix"][slot_ix]
    at = price_bin(bid_nanos)
    tallies.prices[publisher_ix, at, PRICE_BIDS] += 1
    if sale.won:
        tallies.prices[publisher_ix, at, PRICE_WINS] += 1
        tallies.results[campaign_ix, RESULT_WON] += 1
    else:
        tallies.results[campaign_ix, RESULT_OUTBID] += 1
        tallies.lost[campaign_ix, publisher_ix, sale.lost] += 1
        tallies.lost[campaign_ix, publisher_ix, LOST_BID_NANOS] += bid_nanos
        tallies.lost[campaign_ix, publisher_ix, LOST_SHORT_NANOS] += max(0, sale.to_beat_nanos - bid_nanos)


@kernel
def clear_opportunity(
    world: World,
    opps: NDArray[np.void],
    i: int,
    terms: NDArray[np.void],
    j: int,
    campaign_ix: int,
    bid_nanos: int,
    via_deal: bool,
    tallies: Tallies,
) -> Sale:
    """Clear opportunity *i* on terms[j] against its rivals (bid 0: ours is absent), tier by tier."""
    slot_ix, auction_kind, key = int(terms["slot_ix"][j]), world.auction_kind, opps["key"][i]
    rivals_ix = int(world.slots["rivals_ix"][slot_ix])
    if world.slots["rules"][opps["slot_ix"][i]] != 0:
        seller_slot_ix, refused = int(opps["slot_ix"][i]), -1
        pages = world.pages
        paged = pages.slots.shape[0] > 0 and pages.slots["slots"][seller_slot_ix] > 0
        if paged:
            auction_ix = int(opps["auction_ix"][i])
            refused = enter_page(pages.slots, pages.marks, pages.on_view, seller_slot_ix, auction_ix, campaign_ix)
        if is_barred(world.selling.barred, campaign_ix, slot_ix, seller_slot_ix):
            refused = LOST_SEAT
        if refused >= 0:
            campaign_ix, bid_nanos, via_deal = -1, 0, False
        if world.verification.on == 1:
            won, price, revenue, best, way, lost, market, to_beat, sold = clear_verified(
                world.verification,
                world.slots,
                world.rivals,
                world.rival_knots,
                world.distributions,
                world.tables,
                world.selling.deals,
                world.selling.observed,
                auction_kind,
                world.tie,
                opps,
                i,
                terms,
                j,
                campaign_ix,
                bid_nanos,
                via_deal,
                world.pages.on_view,
                tallies.blocks,
                tallies.invalid,
            )
        else:
            won, price, revenue, best, way, lost, market, to_beat, sold = clear_by_rules(
                world.rivals,
                world.rival_knots,
                world.distributions,
                world.tables,
                world.selling.deals,
                world.selling.observed,
                world.slots["reserve_ix"][slot_ix],
                auction_kind,
                world.tie,
                world.slots["rival_scale"][slot_ix],
                rivals_ix,
                key,
                terms,
                j,
                bid_nanos,
                via_deal,
                world.pages.on_view,
            )
        if refused >= 0:
            lost = refused
        if paged and leave_page(
            pages.slots, pages.marks, pages.on_view, seller_slot_ix, campaign_ix if won else -1, sold
        ):
            tallies.slots[slot_ix, SLOT_CLASHES] += 1
        if won and via_deal and terms["deal_kind"][j] > DEAL_FLOOR:
            world.selling.delivered[terms["deal_ix"][j]] += 1
    else:
        floor = int(terms["rivals_floor_nanos"][j])
        our_floor = int(terms["deal_floor_nanos"][j] if via_deal else terms["floor_nanos"][j])
        best, second = best_rival_nanos(world, rivals_ix, key), 0
        if auction_kind == SECOND_PRICE and bid_nanos <= best:
            second = second_rival_nanos(world, rivals_ix, key)
        won, price, revenue = clear(auction_kind, world.tie, key, bid_nanos, our_floor, floor, best, second, 0)
        rival = best if best >= floor else 0
        market, to_beat, sold = max(best, floor), max(our_floor, rival), won or rival > 0
        way = WAY_DEAL if won and via_deal else WAY_OPEN
        lost = LOST_BELOW_FLOOR if bid_nanos < our_floor else LOST_TO_HIGHER
    record_market(world, tallies, slot_ix, opps["slot_ix"][i], market, way, sold, won, revenue, best)
    return Sale(won, price, way, to_beat, lost)


@kernel
def record_exposure(
    opps: NDArray[np.void],
    i: int,
    slot_ix: int,
    exposures: NDArray[np.void],
    at: int,
    campaign_ix: int,
    bid: int,
    sale: Sale,
    worth: int,
) -> None:
    """Write the ledger row of a bought impression; whether it was clicked and booked is filled in by the caller."""
    exposures["auction_ix"][at] = opps["auction_ix"][i]
    exposures["time_s"][at] = opps["time_s"][i]
    exposures["person_ix"][at] = opps["person_ix"][i]
    exposures["slot_ix"][at] = slot_ix
    exposures["seller_slot_ix"][at] = opps["slot_ix"][i]
    exposures["way"][at] = sale.way
    exposures["device_ix"][at] = opps["device_ix"][i]
    exposures["consent"][at] = opps["consent"][i]
    exposures["campaign_ix"][at] = campaign_ix
    exposures["bid_nanos"][at] = bid
    exposures["price_nanos"][at] = sale.price_nanos
    exposures["worth_nanos"][at] = worth


@kernel
def _run_auction(world: World, book: Book, rows: NDArray[np.uint64], desk: Desk, tallies: Tallies, i: int) -> None:
    """One impression opportunity from request to outcome."""
    opps, imps, terms = desk.opportunities, desk.impression, desk.terms
    set_terms(world, opps, i, terms, 0)
    see(world, book, opps, i, terms, 0, imps)
    draw_signals(world, opps["key"][i], desk.signals)
    campaign_ix, bid, worth, fate = decide(book, rows[opps["buyer_ix"][i]], imps, 0, desk.signals, tallies.reasons)
    via_deal = campaign_ix >= 0 and book.campaigns["via_deal"][campaign_ix] == 1
    sale = clear_opportunity(world, opps, i, terms, 0, campaign_ix, bid, via_deal, tallies)
    if fate == BID:
        slot_ix = terms["slot_ix"][0]
        record_bid(world, tallies, campaign_ix, slot_ix, bid, sale)
        told = min_to_win(world.tells, sale.won, sale.lost, sale.to_beat_nanos)
        hear_auction(book.campaigns, campaign_ix, bid, sale.price_nanos, sale.won, told)
        fate = FATE_WON if sale.won else FATE_OUTBID
        if sale.won:
            context = touch(book, campaign_ix, imps, 0)
            buy(book, campaign_ix, imps["person_ix"][0], context, sale.price_nanos, opps["time_s"][i])
            at = desk.filled[FILLED_EXPOSURES]
            desk.filled[FILLED_EXPOSURES] += 1
            record_exposure(opps, i, slot_ix, desk.exposures, at, campaign_ix, bid, sale, worth)
            clicked = show(world, opps, i, campaign_ix, desk.pending, desk.pending_size)
            desk.exposures["clicked"][at] = clicked
            desk.exposures["billed"][at] = 1
            if clicked:
                click(book, campaign_ix, imps["person_ix"][0], context, opps["time_s"][i])
        else:
            lose(book, campaign_ix)
    tallies.fates[int(opps["time_s"][i] / 3600.0), fate] += 1


@kernel
def draw_block(world: World, desk: Desk, most: int, until_s: float) -> int:
    """Draw the next opportunities before *until_s*, at most *most*, each with the buyer's row of its cookie."""
    opps = desk.opportunities
    n = draw_opportunities(world, opps, most, desk.cursor, until_s)
    if desk.units.shape[0] > 0:
        for i in range(n):
            opps["buyer_ix"][i] = desk.units[opps["cookie_ix"][i]]
    return n


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
        n = draw_block(world, desk, wanted, until_s)
        for i in range(n):
            look_ahead(world, book, rows, desk.opportunities, i, n)
            deliver_purchases(world, book, desk, desk.opportunities["time_s"][i])
            _run_auction(world, book, rows, desk, tallies, i)
        done += n
        if n < wanted:
            desk.filled[REACHED] = 1
            break
    return done
