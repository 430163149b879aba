"""The market's and the bidder's side of header bidding in compiled code: the loop of scenarios that have it.

Scenarios without it run `batch_kernel.advance`, which knows nothing of paths. Money in nanos, time in s.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bidder.core.book import Book
from bidder.core.codes import BID, NOT_TARGETED
from bidder.core.decide import decide
from bidder.core.memory import block_entries, free_entries
from bidder.core.settle import click, release, reserve, win
from bidder.core.touch import touch
from exchange_sim.auction import min_to_win
from exchange_sim.kernel import kernel, outlined
from exchange_sim.selling.header import clear_paths, path_request_no, set_path_terms
from exchange_sim.selling.rules import WAY_HEADER, WAY_OPEN
from exchange_sim.traffic import draw_signals
from exchange_sim.verification.clearing import note_bot
from exchange_sim.verification.rendering import show
from exchange_sim.world import World
from experiments.drivers.batch_kernel import (
    FILLED_EXPOSURES,
    REACHED,
    Desk,
    Sale,
    clear_opportunity,
    deliver_purchases,
    draw_block,
    record_bid,
    record_exposure,
    record_market,
    see,
)
from experiments.drivers.look_ahead import look_ahead
from experiments.ledger import (
    FATE_OUTBID,
    FATE_WON,
    PATH_FEES,
    PATH_PASSED,
    PATH_PRIVATE_FEES,
    Tallies,
)


class Paths(NamedTuple):
    """Working arrays for one impression in several exchanges."""

    terms: NDArray[np.void]
    """TERMS[paths]."""
    asks: NDArray[np.void]
    """ASK[paths]."""
    skips: int
    """1: the bidder does not bid twice for an impression."""


@kernel
def _record_paths(
    world: World,
    opps: NDArray[np.void],
    i: int,
    terms: NDArray[np.void],
    asks: NDArray[np.void],
    count: int,
    tallies: Tallies,
) -> None:
    """Count the requests of an impression for its seller, path by path."""
    for k in range(count):
        slot_ix, won, sold = int(terms["slot_ix"][k]), asks["won"][k] == 1, asks["sold"][k] == 1
        way, fee, paid = int(asks["way"][k]), asks["fee_nanos"][k], asks["paid_nanos"][k]
        openly = way in (WAY_HEADER, WAY_OPEN)
        told = WAY_OPEN if openly else way  # of rivals, what was bought openly on a path is known by its slot
        market, best = asks["market_nanos"][k], asks["best_nanos"][k]
        record_market(world, tallies, slot_ix, slot_ix, market, told, sold, won, paid, best)
        tallies.paths[slot_ix, PATH_PASSED] += asks["passed"][k]
        back = False
        if world.verification.on == 1:
            bots, person_ix, key = world.verification.bots, opps["person_ix"][i], opps["key"][i]
            back = note_bot(bots, person_ix, key, slot_ix, sold, won, not openly, paid, tallies.invalid)
        if sold and not back:  # what goes back goes back all the way
            tallies.paths[slot_ix, PATH_FEES] += fee
            if not won and not openly:
                tallies.paths[slot_ix, PATH_PRIVATE_FEES] += fee


@outlined
def close_paths(
    world: World,
    opps: NDArray[np.void],
    i: int,
    terms: NDArray[np.void],
    asks: NDArray[np.void],
    count: int,
    tallies: Tallies,
    exposures: NDArray[np.void],
    at: int,
    pending: NDArray[np.void],
    pending_size: NDArray[np.int64],
) -> tuple[bool, bool]:
    """Clear opportunity *i* on all paths (*count* 0: in the one exchange that offers it) and record it.

    Won, it becomes exposures[at], not yet billed. Returns (whether we won it, whether it was clicked); *asks* say on
    which path, why not on the others, and as the price to beat what our bidder is told.
    """
    if count > 0:
        clear_paths(world, opps, i, terms, asks, count, tallies.blocks)
        _record_paths(world, opps, i, terms, asks, count, tallies)
    else:
        bid, via_deal, campaign_ix = int(asks["bid_nanos"][0]), asks["via_deal"][0] == 1, int(asks["campaign_ix"][0])
        only = clear_opportunity(world, opps, i, terms, 0, campaign_ix, bid, via_deal, tallies)
        asks["won"][0], asks["price_nanos"][0], asks["way"][0] = only.won, only.price_nanos, only.way
        asks["lost"][0], asks["to_beat_nanos"][0] = only.lost, only.to_beat_nanos
    ours, clicked = False, False
    for k in range(max(count, 1)):
        fate, campaign_ix, slot_ix = int(asks["fate"][k]), int(asks["campaign_ix"][k]), int(terms["slot_ix"][k])
        if campaign_ix >= 0:
            won, bid = asks["won"][k] == 1, int(asks["bid_nanos"][k])
            price, to_beat = int(asks["price_nanos"][k]), int(asks["to_beat_nanos"][k])
            sale = Sale(won, price, int(asks["way"][k]), to_beat, int(asks["lost"][k]))
            record_bid(world, tallies, campaign_ix, slot_ix, bid, sale)
            asks["to_beat_nanos"][k] = min_to_win(world.tells, won, sale.lost, to_beat)
            fate = FATE_WON if won else FATE_OUTBID
            if won:
                record_exposure(opps, i, slot_ix, exposures, at, campaign_ix, bid, sale, asks["worth_nanos"][k])
                clicked = show(world, opps, i, campaign_ix, pending, pending_size)
                exposures["clicked"][at] = clicked
                exposures["billed"][at] = 0
                ours = True
        tallies.fates[int(opps["time_s"][i] / 3600.0), fate] += 1
    return ours, clicked


@outlined
def _ask_paths(
    world: World,
    book: Book,
    row: NDArray[np.uint64],
    desk: Desk,
    tallies: Tallies,
    paths: Paths,
    i: int,
    count: int,
) -> None:
    """The bidder decides on one request after the other, and holds what each of its bids needs."""
    opps, imps, asks = desk.opportunities, desk.impression, paths.asks
    answered = False
    for k in range(count):
        asks["campaign_ix"][k], asks["bid_nanos"][k], asks["worth_nanos"][k] = -1, 0, 0
        asks["via_deal"][k], asks["fate"][k] = 0, NOT_TARGETED
        if answered and paths.skips == 1:
            continue
        see(world, book, opps, i, paths.terms, k, imps)
        imps["request_no"][0] = path_request_no(opps["auction_ix"][i], k)
        campaign_ix, bid, worth, fate = decide(book, row, imps, 0, desk.signals, tallies.reasons)
        asks["fate"][k] = fate
        if fate != BID:
            continue
        answered = True
        person_ix, context = imps["person_ix"][0], touch(book, campaign_ix, imps, 0)
        asks["campaign_ix"][k], asks["bid_nanos"][k], asks["worth_nanos"][k] = campaign_ix, bid, worth
        asks["via_deal"][k] = book.campaigns["via_deal"][campaign_ix]
        asks["person_ix"][k], asks["touch"][k] = person_ix, context
        asks["day_ix"][k] = reserve(book, campaign_ix, person_ix, context, bid, opps["time_s"][i])


@outlined
def _settle_paths(book: Book, asks: NDArray[np.void], count: int, time_s: float, clicked: bool) -> None:
    """Tell the bidder what became of its bids, in the order of the paths."""
    for k in range(count):
        campaign_ix = int(asks["campaign_ix"][k])
        if campaign_ix < 0:
            continue
        person_ix, context, bid = int(asks["person_ix"][k]), int(asks["touch"][k]), int(asks["bid_nanos"][k])
        day_ix, told = int(asks["day_ix"][k]), int(asks["to_beat_nanos"][k])
        if asks["won"][k] == 0:
            release(book, campaign_ix, person_ix, bid, day_ix, told)
            continue
        win(book, campaign_ix, person_ix, context, bid, asks["price_nanos"][k], day_ix, told, time_s)
        if clicked:
            click(book, campaign_ix, person_ix, context, time_s)


@kernel
def _run(
    world: World, book: Book, rows: NDArray[np.uint64], desk: Desk, tallies: Tallies, paths: Paths, i: int
) -> None:
    """One impression opportunity, in one exchange or in several, from requests to outcome."""
    opps, terms, asks = desk.opportunities, paths.terms, paths.asks
    count = set_path_terms(world, opps, i, terms)
    draw_signals(world, opps["key"][i], desk.signals)
    _ask_paths(world, book, rows[opps["buyer_ix"][i]], desk, tallies, paths, i, max(count, 1))
    at = desk.filled[FILLED_EXPOSURES]
    ours, clicked = close_paths(
        world, opps, i, terms, asks, count, tallies, desk.exposures, at, desk.pending, desk.pending_size
    )
    if ours:
        desk.filled[FILLED_EXPOSURES] += 1
        desk.exposures["billed"][at] = 1
    _settle_paths(book, asks, max(count, 1), opps["time_s"][i], clicked)


@kernel
def advance_paths(
    world: World,
    book: Book,
    rows: NDArray[np.uint64],
    desk: Desk,
    tallies: Tallies,
    paths: Paths,
    until_s: float,
    most: int,
) -> int:
    """`batch_kernel.advance` for sellers some of whom offer an impression in several exchanges at once.

    A block of opportunities must be so small that memory for it is enough for a bid on every path of each.
    """
    done, block = 0, desk.opportunities.shape[0]
    desk.filled[REACHED] = 0
    while done < most and free_entries(book) >= block_entries(book, block * paths.asks.shape[0]):
        wanted = min(most - done, block)
        n = draw_block(world, desk, wanted, until_s)
        for i in range(n):
            look_ahead(world, book, rows, desk.opportunities, i, n)
            deliver_purchases(world, book, desk, desk.opportunities["time_s"][i])
            _run(world, book, rows, desk, tallies, paths, i)
        done += n
        if n < wanted:
            desk.filled[REACHED] = 1
            break
    return done
