"""Clearing with verification: what is declared is refused at the auction, the rest may be stopped while it loads.

An ad that is stopped costs nothing and has not been shown; the slot goes to the next bid, by the same rules.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from exchange_sim.draws import DETECT_AD, DETECT_PAGE, PAGE, VIEW, key_of, uniform
from exchange_sim.kernel import kernel, outlined
from exchange_sim.selling.rules import LOST_REFUSED, LOST_STOPPED, WAY_OPEN
from exchange_sim.selling.tiers import clear_by_rules
from exchange_sim.verification.bots import bot_kind, discovered
from exchange_sim.verification.rules import (
    AD_BAD,
    AD_CHECKED,
    AD_REFUSED,
    ADS,
    BOT_REQUESTS,
    BOTS_SHOWN,
    BUYER_SIDE,
    FALSE_ALARMS,
    MISTAKEN_ADS,
    MISTAKEN_PAGES,
    OPEN_COUNT,
    OPEN_PAID,
    PAGE_CHECKED,
    PAGE_MAY_BE_BAD,
    PAGE_REFUSED,
    PAGES,
    PAYS_VIEWABLE,
    PRIVATE_COUNT,
    PRIVATE_PAID,
    RECALL,
    REFUSED_ADS,
    REFUSED_PAGES,
    SELLER_SIDE,
    SHOWN_BAD_ADS,
    SHOWN_BAD_PAGES,
    STOPPED_ADS,
    STOPPED_PAGES,
    Verification,
)


@kernel
def is_viewed(viewable: NDArray[np.float64], slot_ix: int, key: np.uint64) -> bool:
    """Whether an impression in this slot can be viewed; *slot_ix*: where it is shown, whoever resold it."""
    return bool(uniform(key, VIEW) < viewable[slot_ix])


@kernel
def page_is_bad(pages: NDArray[np.float64], publisher_ix: int, refused: int, key: np.uint64) -> bool:
    """Whether this page has something of the mask *refused* about it that its publisher does not say."""
    for a in range(pages.shape[1]):
        if (refused >> a) & 1 and uniform(key_of(key, PAGE, a), PAGE) < pages[publisher_ix, a]:
            return True
    return False


@kernel
def note(blocks: NDArray[np.int64], campaign_ix: int, met_publisher_ix: int, publisher_ix: int, column: int) -> None:
    """Count for both sides: the buyer by whom it met, the seller by whose page it is."""
    blocks[BUYER_SIDE, campaign_ix, met_publisher_ix, column] += 1
    blocks[SELLER_SIDE, campaign_ix, publisher_ix, column] += 1


@kernel
def stops(
    detectors: NDArray[np.float64],
    pages: NDArray[np.float64],
    refused: int,
    pair: int,
    key: np.uint64,
    eye: np.uint64,
    blocks: NDArray[np.int64],
    campaign_ix: int,
    met_publisher_ix: int,
    publisher_ix: int,
) -> bool:
    """Whether a detector stops this ad from loading on this page; what is shown although it should not be is counted.

    Ads are looked at where the seller refuses anything, pages where the campaign does. *key*: the auction's, by which
    the page is what it is; *eye*: by which detectors see or overlook.
    """
    if pair & AD_CHECKED:
        bad = pair & AD_BAD != 0
        if uniform(eye, DETECT_AD) < detectors[ADS, RECALL if bad else FALSE_ALARMS]:
            note(blocks, campaign_ix, met_publisher_ix, publisher_ix, STOPPED_ADS)
            if not bad:
                note(blocks, campaign_ix, met_publisher_ix, publisher_ix, MISTAKEN_ADS)
            return True
    bad_page = False
    if pair & PAGE_CHECKED:
        bad_page = pair & PAGE_MAY_BE_BAD != 0 and page_is_bad(pages, publisher_ix, refused, key)
        if uniform(eye, DETECT_PAGE) < detectors[PAGES, RECALL if bad_page else FALSE_ALARMS]:
            note(blocks, campaign_ix, met_publisher_ix, publisher_ix, STOPPED_PAGES)
            if not bad_page:
                note(blocks, campaign_ix, met_publisher_ix, publisher_ix, MISTAKEN_PAGES)
            return True
    if pair & AD_BAD:
        note(blocks, campaign_ix, met_publisher_ix, publisher_ix, SHOWN_BAD_ADS)
    if bad_page:
        note(blocks, campaign_ix, met_publisher_ix, publisher_ix, SHOWN_BAD_PAGES)
    return False


@kernel
def note_bot(
    bots: NDArray[np.void],
    person_ix: int,
    key: np.uint64,
    slot_ix: int,
    sold: bool,
    won: bool,
    private: bool,
    paid_nanos: int,
    invalid: NDArray[np.int64],
) -> bool:
    """Count a request, as it was offered in *slot_ix*, if it is a bot's; returns whether a rival has its money back.

    What is ours (*won*) is looked up afterwards.
    """
    kind = bot_kind(bots, person_ix)
    if kind < 0:
        return False
    invalid[slot_ix, BOT_REQUESTS] += 1
    if not sold:
        return False
    invalid[slot_ix, BOTS_SHOWN] += 1
    if won or not discovered(bots, kind, key):
        return False
    invalid[slot_ix, PRIVATE_COUNT if private else OPEN_COUNT] += 1
    invalid[slot_ix, PRIVATE_PAID if private else OPEN_PAID] += paid_nanos
    return True


@outlined
def clear_verified(
    verification: Verification,
    slots: NDArray[np.void],
    rivals: NDArray[np.void],
    knots: NDArray[np.float64],
    distributions: NDArray[np.void],
    tables: NDArray[np.float64],
    deals: NDArray[np.void],
    observed: NDArray[np.float64],
    auction_kind: int,
    tie: int,
    opps: NDArray[np.void],
    i: int,
    terms: NDArray[np.void],
    j: int,
    campaign_ix: int,
    bid_nanos: int,
    via_deal: bool,
    view: NDArray[np.int64],
    blocks: NDArray[np.int64],
    invalid: NDArray[np.int64],
) -> tuple[bool, int, int, int, int, int, int, int, bool]:
    """What `clear_by_rules` returns, of opportunity *i* on terms[j] with every check made and counted.

    A bid that is refused or stopped is lost for that reason and missed no price: its price to beat is 0.
    """
    key, slot_ix, seller_slot_ix = opps["key"][i], int(terms["slot_ix"][j]), int(opps["slot_ix"][i])
    met_publisher_ix, publisher_ix = slots["publisher_ix"][slot_ix], slots["publisher_ix"][seller_slot_ix]
    reserve_ix, scale = slots["reserve_ix"][slot_ix], slots["rival_scale"][slot_ix]
    group = int(slots["rivals_ix"][slot_ix])
    bid, inside, lost_to_check, pair = bid_nanos, via_deal, -1, 0
    if campaign_ix >= 0 and bid_nanos > 0:
        pair = int(verification.pairs[publisher_ix, campaign_ix])
        if pair & (AD_REFUSED | PAGE_REFUSED):
            column = REFUSED_ADS if pair & AD_REFUSED else REFUSED_PAGES
            note(blocks, campaign_ix, met_publisher_ix, publisher_ix, column)
            bid, inside, lost_to_check = 0, False, LOST_REFUSED
    while True:
        won, price, revenue, best, way, lost, market, to_beat, sold = clear_by_rules(
            rivals,
            knots,
            distributions,
            tables,
            deals,
            observed,
            reserve_ix,
            auction_kind,
            tie,
            scale,
            group,
            key,
            terms,
            j,
            bid,
            inside,
            view,
        )
        if not won or not stops(
            verification.detectors,
            verification.pages,
            verification.refuses[campaign_ix],
            pair,
            key,
            key,
            blocks,
            campaign_ix,
            met_publisher_ix,
            publisher_ix,
        ):
            break
        bid, inside, lost_to_check = 0, False, LOST_STOPPED
        terms["explores"][j] = 0  # the seller has noted this auction's bids
    if lost_to_check >= 0:
        lost, to_beat = lost_to_check, 0
    if won and pair & PAYS_VIEWABLE and not is_viewed(verification.viewable, seller_slot_ix, key):
        price, revenue = 0, 0
    private = way != WAY_OPEN
    note_bot(verification.bots, opps["person_ix"][i], key, slot_ix, sold, won, private, revenue, invalid)
    return won, price, revenue, best, way, lost, market, to_beat, sold
