"""The tournament's fused loop: as the batch driver's, but every seat sends its best bid and the highest wins.

All agents live in one book: a campaign reads nothing there but its own row, so they are bidders of their own. Ties
between seats are decided by a hash of the auction and the campaign. Money in nanos.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bidder.core.book import Book
from bidder.core.codes import BID, CAPPED, NOT_TARGETED, OUTRANKED
from bidder.core.curves import hear_auction
from bidder.core.entries import enter_all
from bidder.core.memory import block_entries, free_entries
from bidder.core.settle import buy, click, lose
from bidder.core.touch import touch
from exchange_sim.auction import beats, min_to_win
from exchange_sim.draws import COIN, bits
from exchange_sim.kernel import kernel
from exchange_sim.outcomes import expose
from exchange_sim.rivals import best_rival_nanos
from exchange_sim.selling.rules import LOST_TO_HIGHER, WAY_DEAL, WAY_OPEN
from exchange_sim.selling.terms import set_terms
from exchange_sim.traffic import draw_signals
from exchange_sim.world import SECOND_PRICE, World
from experiments.drivers.batch_kernel import (
    FILLED_EXPOSURES,
    REACHED,
    Desk,
    Sale,
    deliver_purchases,
    draw_block,
    record_exposure,
    see,
)
from experiments.drivers.look_ahead import look_ahead
from experiments.ledger import FATE_OUTBID, FATE_WON, RESULT_OUTBID, RESULT_WON, Tallies
from experiments.tournament.hindsight import Hindsight, note


class Field(NamedTuple):
    """The seats and their entries for the impression at hand. A agents, S seats."""

    seats: NDArray[np.int64]
    """int64[A]: the seat of each campaign."""
    entries: NDArray[np.void]
    """ENTRY[A]."""
    champions: NDArray[np.int64]
    """int64[S]: the entry each seat sends; -1: none. All -1 between impressions."""


@kernel
def send(field: Field, n: int, tallies: Tallies) -> int:
    """Let each seat choose the highest of its bids (the first of equals); counts everybody's reason.

    Returns the reason of the request: the furthest any campaign came.
    """
    entries, furthest = field.entries, NOT_TARGETED
    for k in range(n):
        reason = entries["reason"][k]
        furthest = max(furthest, reason)
        if reason == BID:
            seat = field.seats[entries["campaign_ix"][k]]
            champion = field.champions[seat]
            if champion < 0:
                field.champions[seat] = k
            elif entries["bid_nanos"][k] > entries["bid_nanos"][champion]:
                field.champions[seat] = k
                entries["reason"][champion] = OUTRANKED
            else:
                entries["reason"][k] = OUTRANKED
    for k in range(n):
        tallies.reasons[entries["campaign_ix"][k], entries["reason"][k]] += 1
    return furthest


@kernel
def highest_two(field: Field, n: int, key: np.uint64) -> tuple[int, int]:
    """(entry with the highest bid sent or -1, entry with the second-highest or -1), one a seat."""
    entries, first, second = field.entries, -1, -1
    for k in range(n):
        if entries["reason"][k] == BID:
            if first < 0 or _above(entries, k, first, key):
                first, second = k, first
            elif second < 0 or _above(entries, k, second, key):
                second = k
    return first, second


@kernel
def _above(entries: NDArray[np.void], a: int, b: int, key: np.uint64) -> bool:
    if entries["bid_nanos"][a] != entries["bid_nanos"][b]:
        return bool(entries["bid_nanos"][a] > entries["bid_nanos"][b])
    coin_a = bits(key + np.uint64(entries["campaign_ix"][a]), COIN)
    return bool(coin_a > bits(key + np.uint64(entries["campaign_ix"][b]), COIN))


@kernel
def floor_of(world: World, book: Book, campaign_ix: int, slot_ix: int) -> int:
    """Lowest price the campaign can buy the slot for."""
    if book.campaigns["via_deal"][campaign_ix] == 1:
        return int(world.slots["deal_floor_nanos"][slot_ix])
    return int(world.slots["floor_nanos"][slot_ix])


@kernel
def take_stock(
    world: World, book: Book, field: Field, n: int, slot_ix: int, rival: int, first: int, second: int, past: Hindsight
) -> None:
    """Note for every agent that might have bid what the impression would have cost it."""
    entries = field.entries
    best = entries["bid_nanos"][first] if first >= 0 else 0
    runner_up = entries["bid_nanos"][second] if second >= 0 else 0
    champion_seat = field.seats[entries["campaign_ix"][first]] if first >= 0 else -1
    for k in range(n):
        if entries["reason"][k] != NOT_TARGETED and entries["reason"][k] != CAPPED:
            campaign_ix = entries["campaign_ix"][k]
            other = runner_up if field.seats[campaign_ix] == champion_seat else best
            price = max(rival, other, floor_of(world, book, campaign_ix, slot_ix))
            note(past, campaign_ix, entries["worth_nanos"][k], price)


@kernel
def told_of(
    world: World, book: Book, field: Field, k: int, slot_ix: int, rival: int, first: int, second: int, won: bool
) -> int:
    """What the seat that sent entry *k* is told of the price it had to beat; 0: nothing."""
    if world.tells == 0:
        return 0
    entries, other_ix = field.entries, second if k == first else first
    other = int(entries["bid_nanos"][other_ix]) if other_ix >= 0 else 0
    to_beat = max(rival, other, floor_of(world, book, entries["campaign_ix"][k], slot_ix))
    return min_to_win(world.tells, won, LOST_TO_HIGHER, to_beat)


@kernel
def _run_auction(
    world: World,
    book: Book,
    rows: NDArray[np.uint64],
    desk: Desk,
    tallies: Tallies,
    field: Field,
    past: Hindsight,
    i: int,
) -> None:
    """One impression opportunity from request to outcome."""
    opps, imps, entries = desk.opportunities, desk.impression, field.entries
    key, slot_ix, time_s = opps["key"][i], opps["slot_ix"][i], opps["time_s"][i]
    set_terms(world, opps, i, desk.terms, 0)
    see(world, book, opps, i, desk.terms, 0, imps)
    draw_signals(world, key, desk.signals)
    n = enter_all(book, rows[opps["buyer_ix"][i]], imps, 0, desk.signals, tallies.reasons, entries)
    fate = send(field, n, tallies)
    first, second = highest_two(field, n, key)
    rival = best_rival_nanos(world, world.slots["rivals_ix"][slot_ix], key)
    if rival < world.slots["floor_nanos"][slot_ix]:
        rival = 0
    take_stock(world, book, field, n, slot_ix, rival, first, second, past)
    winner = -1
    if first >= 0:
        won = rival == 0 or beats(entries["bid_nanos"][first], rival, world.tie, key)
        fate, winner = (FATE_WON, first) if won else (FATE_OUTBID, -1)
    for k in range(n):
        campaign_ix = entries["campaign_ix"][k]
        if entries["reason"][k] == BID:
            field.champions[field.seats[campaign_ix]] = -1
            if k != winner:
                tallies.results[campaign_ix, RESULT_OUTBID] += 1
                lose(book, campaign_ix)
                told = told_of(world, book, field, k, slot_ix, rival, first, second, False)
                hear_auction(book.campaigns, campaign_ix, entries["bid_nanos"][k], 0, False, told)
    tallies.fates[int(time_s / 3600.0), fate] += 1
    if winner >= 0:
        campaign_ix, bid = entries["campaign_ix"][winner], entries["bid_nanos"][winner]
        price = bid
        if world.auction_kind == SECOND_PRICE:
            other = entries["bid_nanos"][second] if second >= 0 else 0
            price = max(rival, other, floor_of(world, book, campaign_ix, slot_ix))
        told = told_of(world, book, field, winner, slot_ix, rival, first, second, True)
        _show(world, book, desk, i, campaign_ix, bid, price, told, entries["worth_nanos"][winner])
        tallies.results[campaign_ix, RESULT_WON] += 1


@kernel
def _show(
    world: World, book: Book, desk: Desk, i: int, campaign_ix: int, bid: int, price: int, told: int, worth: int
) -> None:
    """Book and record a bought impression, and let it do what ads do."""
    opps, person_ix = desk.opportunities, desk.impression["person_ix"][0]
    context = touch(book, campaign_ix, desk.impression, 0)
    buy(book, campaign_ix, person_ix, context, price, opps["time_s"][i])
    hear_auction(book.campaigns, campaign_ix, bid, price, True, told)
    at = desk.filled[FILLED_EXPOSURES]
    desk.filled[FILLED_EXPOSURES] += 1
    way = WAY_DEAL if book.campaigns["via_deal"][campaign_ix] == 1 else WAY_OPEN
    sale = Sale(True, price, way, price, LOST_TO_HIGHER)
    record_exposure(opps, i, opps["slot_ix"][i], desk.exposures, at, campaign_ix, bid, sale, worth)
    clicked = expose(world, opps, i, campaign_ix, desk.pending, desk.pending_size)
    desk.exposures["clicked"][at] = clicked
    desk.exposures["billed"][at] = 1
    if clicked:
        click(book, campaign_ix, person_ix, context, opps["time_s"][i])


@kernel
def advance(
    world: World,
    book: Book,
    rows: NDArray[np.uint64],
    desk: Desk,
    tallies: Tallies,
    field: Field,
    past: Hindsight,
    until_s: float,
    most: int,
) -> int:
    """Run the auctions before *until_s*, at most *most*; returns how many: `advance` of the batch driver for seats."""
    done = 0
    block = desk.opportunities.shape[0]
    desk.filled[REACHED] = 0
    while done < most and free_entries(book) >= block_entries(book, block):
        wanted = min(most - done, block)
        n = draw_block(world, desk, wanted, until_s)
        for i in range(n):
            look_ahead(world, book, rows, desk.opportunities, i, n)
            deliver_purchases(world, book, desk, desk.opportunities["time_s"][i])
            _run_auction(world, book, rows, desk, tallies, field, past, i)
        done += n
        if n < wanted:
            desk.filled[REACHED] = 1
            break
    return done
