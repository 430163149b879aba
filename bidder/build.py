"""From plans to a book: names become indices, rules become rows of bits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from bidder.core.book import (
    BLOCK_CLASSES,
    CAMPAIGN,
    CAP,
    CELL_COLUMNS,
    CELL_DOUBT,
    CELL_ODDS,
    CTR,
    CVR,
    FORBID,
    FREE_BLOCKS,
    INDEX_SIZE,
    PERSON,
    ROW_ACTIVE,
    ROW_ANYONE,
    ROW_DEAL,
    ROW_DEVICE,
    ROW_FORMAT,
    ROW_HOUR,
    ROW_NO_DEAL,
    ROW_PLACE,
    ROW_PUBLISHER,
    ROW_SPARE,
    ROW_UNIDENTIFIED,
    SEEN,
    SEGMENT_QUADS,
    SLOT_PUBLISHERS,
    START_HOUR,
    START_OF_DAY_S,
    WEIGHT_ROWS,
    WELCOME,
    Book,
)
from bidder.core.budgets import course
from bidder.core.codes import BIDS, DEVICES, FORMATS, GOALS, METHODS, NO_DAILY_LIMIT, PACES, SCOPES, WEEK_HOURS
from bidder.core.curves import CURVE_BELIEVED
from bidder.core.delays import FIRST_DELAY_S, LEARNER_COLUMNS, PER_S
from bidder.core.features import make_tables, model_rows
from bidder.core.ftrl import COLUMNS, FACTOR, PRECISION, VARIANCE
from bidder.core.pooling import doubt_of, odds_of
from bidder.core.pricing import LISTED, LIVE, list_prices
from bidder.core.rates import USES_CLICKS, USES_PURCHASES
from bidder.core.touch import MOST_SLOTS
from bidder.errors import PlanError
from bidder.plan import BidPlan, CampaignPlan, CapPlan, Directory, PacePlan
from bidder.room import blank_rows
from bidder.strategy import load_strategy

SMALLEST_MEMORY = 4096
"""Entries of exposure memory a fresh book starts with at least."""
ENTRIES_PER_PERSON = 8
"""Addresses set aside for what people have seen; the memory behind them is taken as it is written."""


def build_book(
    plans: Sequence[CampaignPlan],
    directory: Directory,
    *,
    people_count: int,
    start_hour: int = 0,
    start_of_day_s: int = 0,
    held: NDArray[np.uint64] | None = None,
) -> Book:
    """A fresh book for *plans*.

    *held* is uint64[people, words], the segment row of each person, for models that use them. *start_hour* is the hour
    of the week and *start_of_day_s* the second of the day at which time 0 lies. Raises `PlanError` when a plan names
    something the *directory* does not know.
    """
    index = np.zeros(INDEX_SIZE + len(directory.slots), np.int64)
    index[SLOT_PUBLISHERS] = INDEX_SIZE
    index[INDEX_SIZE:] = _slot_publishers(directory)
    index[START_HOUR], index[START_OF_DAY_S] = start_hour, start_of_day_s
    cells = _cells(plans, max(1, len(directory.slots)))
    index[FREE_BLOCKS : FREE_BLOCKS + BLOCK_CLASSES] = -1
    audiences, audience_bytes = _audiences(plans, directory)
    weights, learners = _models(plans, directory, index)
    book = Book(
        campaigns=_campaigns(plans, directory),
        caps=_caps(plans),
        targets=_targets(plans, directory, index),
        audiences=audiences,
        audience_bytes=audience_bytes,
        index=index,
        cells=cells,
        prices=np.zeros((*cells.shape[:2], 2), np.int64),
        persons=blank_rows(max(1, people_count), PERSON),
        memory=blank_rows(max(SMALLEST_MEMORY, ENTRIES_PER_PERSON * people_count), SEEN),
        held=_held(plans, held),
        weights=weights,
        learners=learners,
        curves=_curves(plans),
    )
    for campaign_ix in range(len(plans)):
        _measure_shape(book, campaign_ix)
        list_prices(book, campaign_ix)
    return book


def _campaigns(plans: Sequence[CampaignPlan], directory: Directory) -> NDArray[np.void]:
    rows = np.zeros(len(plans), CAMPAIGN)
    cap_first = curve_first = 0
    shape_first = sum(len(plan.worth_by_frequency) for plan in plans) or 1
    wide = [(plan, cap) for plan in plans for cap in plan.caps if cap.scope != "campaign"]
    families: dict[int, int] = {}
    for c, plan in enumerate(plans):
        fence = plan.target.fence or (0.0, 0.0, 0.0)
        product_ix = -1 if plan.product is None else _position(directory.products, plan.product, plan, "product")
        values = {
            "product_ix": product_ix,
            "goal": GOALS.index(plan.goal),
            "goal_value": plan.goal_value_nanos,
            "signal_ix": _signal(plan, product_ix),
            "bid_kind": BIDS.index(plan.bid.kind),
            "bid_a": plan.bid.a,
            "bid_b": plan.bid.b,
            "bid_max_nanos": plan.bid.max_nanos if plan.bid.max_nanos is not None else NO_DAILY_LIMIT,
            "strategy": 0 if plan.bid.strategy is None else load_strategy(plan.bid.strategy).address,
            "asks_seen": int(plan.bid.strategy is not None and load_strategy(plan.bid.strategy).asks_seen),
            "start_s": plan.start_s,
            "end_s": plan.end_s,
            "total_nanos": plan.total_nanos,
            "nanos_per_s": plan.total_nanos / (plan.end_s - plan.start_s),
            "daily_nanos": plan.daily_nanos if plan.daily_nanos is not None else NO_DAILY_LIMIT,
            "via_deal": int(bool(plan.target.deals)),
            "fenced": int(plan.target.fence is not None),
            "lat": fence[0],
            "lon": fence[1],
            "radius_km": fence[2],
            "cap_first": cap_first,
            "cap_count": len(plan.caps),
            "cap_least": _least(plan),
            "lookback_s": plan.lookback_s,
            "keep_s": max([*_windows_s(plan, wide), plan.lookback_s if _looks_back(plan) else 0.0]),
            "learned": int(plan.learned),
            "prior_ctr": plan.ctr,
            "prior_cvr": plan.cvr,
            "prior_impressions": plan.prior_impressions,
            "method": METHODS.index(plan.method),
            "modelled": _modelled(plan),
            "explores": int(plan.explores),
            "keep_all": int(bool(_windows_s(plan, wide) or plan.worth_by_frequency or _modelled(plan))),
            "family_ix": product_ix if product_ix >= 0 else -2 - c,
            "curve_first": curve_first,
            "curve_count": len(plan.worth_by_frequency),
            "shape_first": shape_first if plan.pacing.shape else -1,
            "pass_share": plan.pacing.start if plan.pacing.kind == "throttled" else 1.0,
            "target_share": plan.pacing.target if plan.pacing.kind in ("adaptive", "multiplicative") else 0.0,
            "target_step": plan.pacing.target_step,
            "target_ecpc": plan.pacing.target if plan.pacing.kind == "ecpc" else 0.0,
            "roas_target": plan.roas_target,
            "basket_nanos": plan.goal_value_nanos * plan.roas_target,
            "day_ix": -1,
            **_learned_curve(plan.bid),
            **_pacing(plan.pacing, plan.total_nanos),
        }
        for name, value in values.items():
            rows[name][c] = value
        cap_first += len(plan.caps)
        curve_first += len(plan.worth_by_frequency)
        shape_first += (WEEK_HOURS + 1) * bool(plan.pacing.shape)
        family_ix = int(values["family_ix"])
        families[family_ix] = families.get(family_ix, 0) | 1 << (c & 63)
    rows["relatives"] = [families[family_ix] for family_ix in rows["family_ix"].tolist()]
    return rows


def _held(plans: Sequence[CampaignPlan], rows: NDArray[np.uint64] | None) -> NDArray[np.uint64]:
    """The segment rows, where a model uses them as features."""
    if rows is None or not any(plan.method == "model" for plan in plans):
        return np.zeros((0, 1), np.uint64)
    return rows


def _least(plan: CampaignPlan) -> int:
    """Lowest limit of its caps, or -1, see `CAMPAIGN`."""
    if any(cap.scope != "campaign" for cap in plan.caps):
        return -1
    return min([cap.limit for cap in plan.caps], default=0)


def _windows_s(plan: CampaignPlan, wide: Sequence[tuple[CampaignPlan, CapPlan]]) -> list[float]:
    """Windows of every cap its exposures count for: its own, and those of others in *wide* that look at it."""
    others = [
        cap.window_s
        for other, cap in wide
        if cap.scope == "all" or (other.product is not None and other.product == plan.product)
    ]
    return [cap.window_s for cap in plan.caps] + others


def _curves(plans: Sequence[CampaignPlan]) -> NDArray[np.float64]:
    """Every campaign's worth by frequency, then every shape of the week as its cumulative weights."""
    factors = [factor for plan in plans for factor in plan.worth_by_frequency] or [1.0]
    weeks = [np.concatenate([[0.0], np.cumsum(plan.pacing.shape)]) for plan in plans if plan.pacing.shape]
    return np.concatenate([np.array(factors), *weeks])


def _measure_shape(book: Book, campaign_ix: int) -> None:
    """Weight of the campaign's shape of the week before its start, and between start and end."""
    rows, first = book.campaigns, book.campaigns["shape_first"][campaign_ix]
    if first >= 0:
        begun, ended = (
            course(book.curves, first, book.index, rows[name][campaign_ix]) for name in ("start_s", "end_s")
        )
        rows["shape_begun"][campaign_ix], rows["shape_whole"][campaign_ix] = begun, ended - begun


def _looks_back(plan: CampaignPlan) -> bool:
    """Whether exposures matter beyond caps: to credit purchases, or to the worth of the next."""
    return plan.product is not None or bool(plan.worth_by_frequency)


def _signal(plan: CampaignPlan, product_ix: int) -> int:
    """Where its price comes from, see `bidder.core.pricing.quote`."""
    if plan.method != "counts" and product_ix < 0:
        raise PlanError(
            f"campaign {plan.campaign_id}: rates by {plan.method} are learned per product; name its product"
        )
    if plan.goal == "private":
        return plan.signal_ix
    return LIVE if _modelled(plan) or plan.worth_by_frequency or plan.bid.kind == "random" else LISTED


def _modelled(plan: CampaignPlan) -> int:
    """Which models its goal and rule bid on, as bits."""
    if plan.method != "model" or not plan.learned:
        return 0
    clicks = plan.goal == "cpc" or plan.bid.kind == "mcpc"
    return USES_CLICKS * clicks | USES_PURCHASES * (plan.goal in ("cpa", "roas"))


def _cells(plans: Sequence[CampaignPlan], slots: int) -> NDArray[np.float64]:
    """Every campaign's rates as the plan believes them, in every slot."""
    cells = np.zeros((len(plans), slots, CELL_COLUMNS))
    for c, plan in enumerate(plans):
        cells[c, :, CTR], cells[c, :, CVR] = plan.ctr, plan.cvr
        for model, rate in enumerate((plan.ctr, plan.cvr)):
            cells[c, :, CELL_ODDS + 2 * model] = odds_of(rate)
            cells[c, :, CELL_DOUBT + 2 * model] = doubt_of(rate * plan.prior_impressions)
    return cells


def _models(
    plans: Sequence[CampaignPlan], directory: Directory, index: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Weights and learners of every product; eight rows for each feature there can be, so that few of them collide."""
    learning = [plan for plan in plans if plan.learned and plan.method != "counts" and plan.product is not None]
    products = len(directory.products) if learning else 1
    features = len(directory.publishers) + min(len(directory.places), 128) + min(len(directory.segments), 64)
    features += len(FORMATS) + len(DEVICES) + 24 + 8
    index[WEIGHT_ROWS] = 1 << min(8 * features, 1 << 20).bit_length() if learning else 1
    index[SEGMENT_QUADS] = -(-min(len(directory.segments), 64) // 4)
    rows = model_rows(int(index[WEIGHT_ROWS]))
    weights, learners = np.zeros((2 * products * rows, COLUMNS)), np.zeros((products, LEARNER_COLUMNS))
    weights[:, VARIANCE], weights[:, FACTOR] = 1.0 / PRECISION, 1.0
    for first in range(0, len(weights), rows) if learning else ():
        make_tables(weights, index, first)
    for plan in learning:
        assert plan.product is not None
        row = learners[_position(directory.products, plan.product, plan, "product")]
        row[FIRST_DELAY_S] = max(row[FIRST_DELAY_S], plan.delay_s)
        row[PER_S] = 1.0 / row[FIRST_DELAY_S]
    return weights, learners


def _slot_publishers(directory: Directory) -> list[int]:
    """Publisher of each slot, by the first part of its name; 0 for a name without one."""
    if len(directory.slots) > MOST_SLOTS:
        raise PlanError(f"{len(directory.slots)} slots are more than the {MOST_SLOTS} a bidder can tell apart")
    position = {name: k for k, name in enumerate(directory.publishers)}
    return [position.get(slot.rpartition("/")[0], 0) for slot in directory.slots]


def _learned_curve(bid: BidPlan) -> dict[str, float]:
    """The fields of a win curve that is learned: where it begins, and how much that is worth."""
    if not bid.learned:
        return {}
    return {
        "curve_learned": 1,
        "curve_centre": bid.a,
        "curve_seen": CURVE_BELIEVED,
        "curve_squares": CURVE_BELIEVED * bid.b * bid.b,
        "curve_heard": CURVE_BELIEVED,
    }


def _pacing(pacing: PacePlan, total_nanos: int) -> dict[str, float]:
    """The fields of pacing: the target per auction is known at once only where the number of auctions is."""
    by_mu = pacing.kind in ("adaptive", "multiplicative")
    first_multiplier = pacing.start if pacing.kind == "pid" else 1.0
    return {
        "pace": PACES.index(pacing.kind),
        "mu": pacing.start if by_mu else 0.0,
        "multiplier": 1.0 / (1.0 + pacing.start) if by_mu else first_multiplier,
        "pace_step": pacing.step_per_nano,
        "pace_auctions": pacing.auctions,
        "pace_target_nanos": total_nanos / pacing.auctions if pacing.auctions > 0 else -1.0,
        "pace_highest": pacing.highest,
        "pid_p": pacing.gains[0],
        "pid_i": pacing.gains[1],
        "pid_d": pacing.gains[2],
    }


def _caps(plans: Sequence[CampaignPlan]) -> NDArray[np.void]:
    caps = [(cap.limit, cap.window_s, int(cap.sliding), SCOPES.index(cap.scope)) for plan in plans for cap in plan.caps]
    return np.array(caps or [(0, 1.0, 0, 0)], CAP)


def _targets(plans: Sequence[CampaignPlan], directory: Directory, index: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Fill the rows of bits and write into *index* where each block of them begins."""
    blocks = (
        (ROW_ACTIVE, 1),
        (ROW_SPARE, 1),
        (ROW_ANYONE, 1),
        (ROW_UNIDENTIFIED, 1),
        (ROW_NO_DEAL, 1),
        (ROW_FORMAT, len(FORMATS)),
        (ROW_DEVICE, len(DEVICES)),
        (ROW_HOUR, WEEK_HOURS),
        (ROW_PLACE, len(directory.places)),
        (ROW_PUBLISHER, len(directory.publishers)),
        (ROW_DEAL, len(directory.deals)),
    )
    row = 0
    for block, size in blocks:
        index[block] = row
        row += size
    accepts = np.zeros((row, len(plans)), bool)
    for c, plan in enumerate(plans):
        target = plan.target
        accepts[index[ROW_ACTIVE], c] = True
        accepts[index[ROW_ANYONE], c] = not target.any_segments
        accepts[index[ROW_UNIDENTIFIED], c] = not plan.needs_person
        accepts[index[ROW_NO_DEAL], c] = not target.deals
        for block, names, wanted, what in (
            (ROW_FORMAT, FORMATS, target.formats, "format"),
            (ROW_DEVICE, DEVICES, target.devices, "device"),
            (ROW_PLACE, directory.places, target.places, "place"),
            (ROW_PUBLISHER, directory.publishers, target.publishers, "publisher"),
        ):
            chosen = _positions(names, wanted, plan, what) if wanted else range(len(names))
            accepts[index[block] + np.fromiter(chosen, np.int64), c] = True
        hours = target.hours or range(WEEK_HOURS)
        accepts[index[ROW_HOUR] + np.fromiter(hours, np.int64), c] = True
        deals = _positions(directory.deals, target.deals, plan, "deal")
        accepts[index[ROW_DEAL] + np.fromiter(deals, np.int64), c] = True
    return pack_bits(accepts)


def pack_bits(flags: NDArray[np.bool_]) -> NDArray[np.uint64]:
    """bool[rows, n] to uint64[rows, ceil(n / 64)], bit j of word k being flag 64 k + j (at least one word)."""
    rows, count = flags.shape
    words = max(1, -(-count // 64))
    padded = np.zeros((rows, 64 * words), np.uint8)
    padded[:, :count] = flags
    packed: NDArray[np.uint64] = np.packbits(padded, axis=1, bitorder="little").view("<u8").astype(np.uint64)
    return packed


def _audiences(plans: Sequence[CampaignPlan], directory: Directory) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """The tables of segment rules by byte of the row, and which bytes they are for."""
    shape = (len(plans), 8 * -(-len(directory.segments) // 8))
    rules = {kind: np.zeros(shape, bool) for kind in ("any", "all", "none")}
    for c, plan in enumerate(plans):
        target = plan.target
        for kind, names in (("any", target.any_segments), ("all", target.all_segments), ("none", target.none_segments)):
            rules[kind][c, _positions(directory.segments, names, plan, "segment")] = True
    asked = (rules["any"] | rules["all"] | rules["none"]).any(axis=0).reshape(-1, 8).any(axis=1)
    bytes_ix = np.flatnonzero(asked).astype(np.int64)
    held = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1, bitorder="little").astype(bool)
    tables = np.zeros((2, len(bytes_ix), 256, max(1, -(-len(plans) // 64))), np.uint64)
    for k, byte_ix in enumerate(bytes_ix):
        any_of, all_of, none_of = (rules[kind][:, 8 * byte_ix : 8 * byte_ix + 8] for kind in ("any", "all", "none"))
        tables[WELCOME, k] = pack_bits(np.any(held[:, None, :] & any_of, axis=2))
        tables[FORBID, k] = pack_bits(np.any(held[:, None, :] & none_of | ~held[:, None, :] & all_of, axis=2))
    return tables, bytes_ix


def _positions(names: Sequence[str], wanted: Iterable[str], plan: CampaignPlan, what: str) -> list[int]:
    return [_position(names, name, plan, what) for name in wanted]


def _position(names: Sequence[str], name: str, plan: CampaignPlan, what: str) -> int:
    try:
        return names.index(name)
    except ValueError:
        known = ", ".join(names) or "none"
        raise PlanError(f"campaign {plan.campaign_id}: unknown {what} {name!r}; known: {known}") from None
