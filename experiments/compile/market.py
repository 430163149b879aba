"""From a scenario to the world's arrays: names become indices, CPM and currency become nanos."""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from exchange_sim.distributions import DISTRIBUTION, HISTOGRAM, LOGNORMAL, QUANTILES, UNIFORM
from exchange_sim.draws import mix, name_key
from exchange_sim.identities import draw_cookies, draw_households
from exchange_sim.people import draw_homes, draw_interests
from exchange_sim.reaction import nobody_minds
from exchange_sim.rivals import tabulate
from exchange_sim.world import (
    DEVICES,
    FIRST_PRICE,
    FORMATS,
    HIGHEST,
    INDEPENDENT,
    NO_RIVALS,
    PLACE_DTYPE,
    PRODUCT,
    RIVALS,
    SECOND_PRICE,
    SLOT,
    TELLS_LOSERS,
    TELLS_WINNERS,
    TIE_BIDDER,
    TIE_COIN,
    TIE_RIVAL,
    World,
)
from experiments.compile.pages import compile_pages, is_drawn, mark_rivals
from experiments.compile.selling import compile_selling, covers, offered_slots, seller_names
from experiments.compile.verification import bot_count, compile_verification
from experiments.scenario.market import HighestRival, IndependentRivals
from experiments.scenario.models import Scenario
from experiments.scenario.parts import Distribution, Histogram, Lognormal, Quantiles
from experiments.traffic_shape import hour_weights
from openrtb.money import NANOS_PER_CPM, NANOS_PER_UNIT, cpm_to_nanos

_NO_COOKIES = np.zeros(0, np.int64)
_TIES = {"rival": TIE_RIVAL, "bidder": TIE_BIDDER, "coin": TIE_COIN}
TELLS = {"nobody": 0, "losers": TELLS_LOSERS, "winners": TELLS_WINNERS, "everybody": TELLS_LOSERS | TELLS_WINNERS}
"""`World.tells` by `auction.min_to_win`."""


class _Grids(NamedTuple):
    """Distributions collected so far, and their rows of numbers."""

    records: list[tuple[int, int, int, float, float]]
    rows: list[NDArray[np.float64]]


def start_offsets(scenario: Scenario) -> tuple[int, int]:
    """Hour of the week (Monday 00:00 = 0) and second of the day at which the scenario begins."""
    start = scenario.start
    return start.weekday() * 24 + start.hour, start.hour * 3600 + start.minute * 60 + start.second


def private_campaigns(scenario: Scenario) -> list[str]:
    """Campaigns with a private value, in the order of their signals."""
    return [name for name, campaign in scenario.campaigns.items() if campaign.goal.kind == "private"]


def compile_world(scenario: Scenario) -> World:
    """The market and its truth as arrays; the people's interests are drawn here."""
    seed_key = np.uint64(mix(np.uint64(scenario.seed)))
    start_hour, start_of_day_s = start_offsets(scenario)
    grids = _Grids([], [])
    rivals = _rivals(scenario, grids)
    slots = _slots(scenario)
    signal_names = private_campaigns(scenario)
    signals = []
    for name in signal_names:
        goal = scenario.campaigns[name].goal
        assert goal.kind == "private"
        signals.append(_add_distribution(goal.value, grids))
    distributions = np.array(grids.records or [(0, 0, 0, 0.0, 0.0)], DISTRIBUTION)
    tables = _stack(grids.rows)
    products = list(scenario.products)
    people = scenario.people
    count = people.count + bot_count(scenario)
    heads = draw_households(seed_key, count, people.household)
    selling = compile_selling(scenario, list(scenario.rivals), slots)
    return World(
        seed_key=seed_key,
        people_count=people.count,
        activity_skew=people.activity_skew,
        with_position=int(any(c.target.geofence is not None for c in scenario.campaigns.values())),
        auction_kind=SECOND_PRICE if scenario.auction.kind == "second_price" else FIRST_PRICE,
        tie=_TIES[scenario.auction.tie],
        tells=TELLS[scenario.auction.min_to_win],
        start_of_day_s=start_of_day_s,
        start_hour=start_hour,
        rate_per_s=_rates(scenario),
        slots=slots,
        device_shares=_device_shares(scenario),
        # Copied, because NumPy puts its own large arrays on huge pages and compiled code does not.
        homes=draw_homes(seed_key, heads, _places(scenario), people.consent_share).copy(),
        interests=draw_interests(
            seed_key,
            count,
            np.array([name_key(f"interest {name}") for name in people.interests], np.uint64),
            np.array(list(people.interests.values()), np.float64),
        ).copy(),
        cookies=_NO_COOKIES if scenario.audience is None else draw_cookies(seed_key, people.count, people.cookies),
        heads=_NO_COOKIES if scenario.audience is None else heads,
        rivals=rivals,
        rival_knots=tabulate(rivals, distributions, tables),
        distributions=distributions,
        tables=tables,
        products=_products(scenario),
        format_effects=np.array(
            [[scenario.products[p].effect.formats.get(f, 1.0) for f in FORMATS] for p in products], np.float64
        ).reshape(len(products), len(FORMATS)),
        campaign_products=np.array(
            [products.index(c.product) if c.product else -1 for c in scenario.campaigns.values()], np.int64
        ),
        signal_keys=np.array([name_key(f"signal {name}") for name in signal_names], np.uint64),
        signal_distributions=np.array(signals, np.int64),
        stock=no_stock(count, len(products)),
        selling=selling,
        pages=compile_pages(scenario, slots),
        verification=compile_verification(scenario, slots),
        reaction=nobody_minds(),  # they are told of once it is known who is in which segment
    )


def no_stock(people_count: int, product_count: int) -> NDArray[np.float32]:
    """Truth's memory before anybody has seen an ad (filled rather than zeroed: that puts it on huge pages)."""
    return np.full((people_count, product_count, 2), 0.0, np.float32)


def _rates(scenario: Scenario) -> NDArray[np.float64]:
    weights = hour_weights(scenario.traffic.hours)
    rates: NDArray[np.float64] = scenario.traffic.requests_per_day / 86400.0 * weights / weights.mean()
    return rates


def _cumulative(weights: Iterable[float]) -> NDArray[np.float64]:
    total = np.cumsum(np.fromiter(weights, np.float64))
    shares: NDArray[np.float64] = total / total[-1]
    shares[-1] = 1.0
    return shares


def _slots(scenario: Scenario) -> NDArray[np.void]:
    """SLOT[S], before the sellers' rules; what networks resell as gets no traffic of its own."""
    offers, sellers, rivals = offered_slots(scenario), seller_names(scenario), list(scenario.rivals)
    rows = np.zeros(len(offers), SLOT)
    weights = []
    for s, offered in enumerate(offers):
        seller = scenario.networks[offered.owner] if offered.resold else scenario.publishers[offered.owner]
        weights.append(0.0)
        if not offered.resold and not offered.exchange:
            publisher = scenario.publishers[offered.owner]
            drawn = {name: slot.share for name, slot in publisher.slots.items() if is_drawn(publisher, name)}
            weights[-1] = publisher.share * drawn.get(offered.name, 0.0) / sum(drawn.values())
        rows["publisher_ix"][s] = sellers.index(offered.owner)
        rows["format_ix"][s] = FORMATS.index(offered.slot.format)
        exchange = scenario.exchanges.get(offered.exchange)
        group = (exchange.rivals if exchange else None) or seller.rivals
        rows["rivals_ix"][s] = rivals.index(group) if group else 0
        rows["floor_nanos"][s] = cpm_to_nanos(offered.slot.floor)
        rows["deal_ix"][s] = -1
        for d, deal in enumerate(scenario.deals.values()):
            if covers(scenario, deal, offered):
                rows["deal_ix"][s] = d
                rows["deal_floor_nanos"][s] = cpm_to_nanos(deal.floor)
                break
    rows["alias_share"], rows["alias_ix"] = _alias_table(np.array(weights))
    return rows


def _alias_table(weights: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Walker's alias method as built by Vose (1991): the probability to keep each entry, and what to take otherwise."""
    scaled = weights / weights.sum() * len(weights)
    keep, alias = np.ones(len(weights)), np.arange(len(weights))
    small = [k for k in range(len(weights)) if scaled[k] < 1.0]
    large = [k for k in range(len(weights)) if scaled[k] >= 1.0]
    while small and large:
        low, high = small.pop(), large.pop()
        keep[low], alias[low] = scaled[low], high
        scaled[high] -= 1.0 - scaled[low]
        (small if scaled[high] < 1.0 else large).append(high)
    nothing = weights == 0.0  # rounding must not leave one its own share
    keep[nothing], alias[nothing] = (
        0.0,
        np.where(weights[alias[nothing]] > 0.0, alias[nothing], int(np.argmax(weights))),
    )
    return keep, alias


def _device_shares(scenario: Scenario) -> NDArray[np.float64]:
    rows = []
    for offered in offered_slots(scenario):
        devices = offered.slot.devices
        rows.append(_cumulative(devices.get(device, 0.0) for device in DEVICES))
    return np.array(rows)


def _places(scenario: Scenario) -> NDArray[np.void]:
    rows = np.zeros(len(scenario.places), PLACE_DTYPE)
    rows["cumulative_share"] = _cumulative(place.share for place in scenario.places.values())
    for field in ("lat", "lon", "radius_km"):
        rows[field] = [getattr(place, field) for place in scenario.places.values()]
    return rows


def _rivals(scenario: Scenario, grids: _Grids) -> NDArray[np.void]:
    """RIVALS[K + 1]: the last group never bids."""
    rows = np.zeros(len(scenario.rivals) + 1, RIVALS)
    for k, group in enumerate(scenario.rivals.values()):
        rows["kind"][k] = NO_RIVALS
        if isinstance(group, IndependentRivals | HighestRival):
            rows["kind"][k] = INDEPENDENT if isinstance(group, IndependentRivals) else HIGHEST
            rows["count"][k] = group.count if isinstance(group, IndependentRivals) else 1
            rows["distribution_ix"][k] = _add_distribution(group.price, grids)
    mark_rivals(scenario, rows, partial(_add_row, grids))
    return rows


def _add_row(grids: _Grids, row: NDArray[np.float64]) -> int:
    """Keep a row of numbers; returns its index."""
    grids.rows.append(row)
    return len(grids.rows) - 1


def _add_distribution(spec: Distribution, grids: _Grids) -> int:
    """Record a distribution of CPM prices in nanos; returns its index."""
    if isinstance(spec, Lognormal):
        record = (LOGNORMAL, 0, 0, math.log(spec.median * NANOS_PER_CPM), spec.sigma)
    elif isinstance(spec, Histogram):
        grids.rows.append(_cumulative(spec.counts))
        record = (HISTOGRAM, len(grids.rows) - 1, len(spec.counts), spec.step * NANOS_PER_CPM, 0.0)
    elif isinstance(spec, Quantiles):
        grids.rows.append(np.array(spec.values) * NANOS_PER_CPM)
        record = (QUANTILES, len(grids.rows) - 1, len(spec.values), 0.0, 0.0)
    else:
        record = (UNIFORM, 0, 0, spec.low * NANOS_PER_CPM, spec.high * NANOS_PER_CPM)
    grids.records.append(record)
    return len(grids.records) - 1


def _stack(rows: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Rows of different lengths as one matrix, padded with their last value."""
    width = max((len(row) for row in rows), default=1)
    return np.array([np.pad(row, (0, width - len(row)), mode="edge") for row in rows] or [np.zeros(1)])


def _products(scenario: Scenario) -> NDArray[np.void]:
    rows = np.zeros(len(scenario.products), PRODUCT)
    interests = list(scenario.people.interests)
    for g, (name, product) in enumerate(scenario.products.items()):
        effect = product.effect
        values = {
            "key": name_key(f"product {name}"),
            "interest_ix": interests.index(product.interest) if product.interest else -1,
            "value_nanos": product.value * NANOS_PER_UNIT,
            "value_sigma": product.value_sigma,
            "organic_per_s": scenario.people.count * product.organic_per_1000_people_per_day / 1000.0 / 86400.0,
            "cycle_s": product.in_market.cycle_days * 86400.0 if product.in_market else 0.0,
            "window_s": product.in_market.window_days * 86400.0 if product.in_market else 0.0,
            "ctr": effect.ctr,
            "conversion": effect.conversion,
            "off_interest": effect.off_interest,
            "off_window": effect.off_window,
            "half_life_s": effect.half_life_h * 3600.0,
            "saturation": effect.saturation,
            "delay_s": effect.delay_h * 3600.0,
        }
        for field, value in values.items():
            rows[field][g] = value
    return rows
