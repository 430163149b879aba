"""The market's side of one request in one compiled call: clearing, the exposure and its outcomes, the records."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from exchange_sim.auction import min_to_win
from exchange_sim.draws import WIRE, key_of, mix
from exchange_sim.kernel import kernel
from exchange_sim.pending import drop_first
from exchange_sim.traffic import draw_signals
from exchange_sim.verification.rendering import show
from exchange_sim.world import World
from experiments.drivers.batch_kernel import clear_opportunity, record_bid, record_exposure
from experiments.ledger import FATE_OUTBID, FATE_WON, Tallies


@kernel
def close_auction(
    world: World,
    opps: NDArray[np.void],
    i: int,
    terms: NDArray[np.void],
    campaign_ix: int,
    bid_nanos: int,
    worth_nanos: int,
    via_deal: bool,
    fate: int,
    tallies: Tallies,
    exposures: NDArray[np.void],
    at: int,
    pending: NDArray[np.void],
    pending_size: NDArray[np.int64],
) -> tuple[bool, int, bool, int, int]:
    """Clear opportunity *i* on terms[i]; a won one becomes exposures[at], not yet billed.

    It may push a purchase on *pending*. *campaign_ix* -1: no bid in time, for the reason *fate*. Returns (won,
    price_nanos, clicked, why it lost if it did, what its bidder is told of the price to beat in nanos).
    """
    sale = clear_opportunity(world, opps, i, terms, i, campaign_ix, bid_nanos, via_deal, tallies)
    clicked = False
    if campaign_ix >= 0:
        record_bid(world, tallies, campaign_ix, terms["slot_ix"][i], bid_nanos, sale)
        fate = FATE_WON if sale.won else FATE_OUTBID
    if sale.won:
        record_exposure(opps, i, terms["slot_ix"][i], exposures, at, campaign_ix, bid_nanos, sale, worth_nanos)
        clicked = show(world, opps, i, campaign_ix, pending, pending_size)
        exposures["clicked"][at] = clicked
        exposures["billed"][at] = 0
    tallies.fates[int(opps["time_s"][i] / 3600.0), fate] += 1
    told = min_to_win(world.tells, sale.won, sale.lost, sale.to_beat_nanos)
    return sale.won, sale.price_nanos, clicked, sale.lost, told


@kernel
def take_purchase(
    pending: NDArray[np.void], pending_size: NDArray[np.int64], purchases: NDArray[np.void], at: int
) -> None:
    """Move the earliest purchase to purchases[at], credited to nobody yet."""
    purchases["time_s"][at] = pending["due_s"][0]
    purchases["person_ix"][at] = pending["person_ix"][0]
    purchases["value_nanos"][at] = pending["value_nanos"][0]
    purchases["product_ix"][at] = pending["product_ix"][0]
    purchases["auction_ix"][at] = pending["auction_ix"][0]
    purchases["caused_by_ix"][at] = pending["campaign_ix"][0]
    purchases["attributed_ix"][at] = -1
    drop_first(pending, pending_size)


@kernel
def draw_all_signals(world: World, opps: NDArray[np.void], signals: NDArray[np.int64]) -> None:
    """Private values of every opportunity: *signals* is int64[n, V]."""
    for i in range(signals.shape[0]):
        draw_signals(world, opps["key"][i], signals[i])


@kernel
def purchase_key(world: World, purchases: NDArray[np.void], at: int) -> np.uint64:
    """Key of a purchase: who buys what and when, whatever came before it."""
    moment = np.float64(purchases["time_s"][at]).view(np.uint64)
    return mix(
        key_of(world.seed_key + world.products["key"][purchases["product_ix"][at]], WIRE, purchases["person_ix"][at])
        + moment
    )
