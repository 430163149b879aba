"""From a scenario to the sellers' arrays: slots in order, floors by rule, deals by tier, networks, learned reserves."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from exchange_sim.selling.header import FEE_PARTS
from exchange_sim.selling.reserve import lognormal_reserve, new_reserves, uniform_reserve
from exchange_sim.selling.rules import DEAL, DEAL_KINDS, OUR_FLOOR, PATH, RIVALS_FLOOR, SOFT_FLOOR, Selling
from exchange_sim.selling.seats import SEAT_BARS, SELLER_BARS
from exchange_sim.world import FIRST_PRICE, SECOND_PRICE
from experiments.scenario.models import Scenario
from experiments.scenario.parts import Uniform
from experiments.scenario.selling import AdaptiveReserve, Deal, FloorRule, MyersonReserve, Seat, Slot
from openrtb.money import NANOS_PER_CPM, cpm_to_nanos


class Offered(NamedTuple):
    """A slot as buyers meet it, whoever offers it."""

    owner: str
    """The publisher, or the network that resells."""
    name: str
    slot: Slot
    resold: bool
    exchange: str = ""
    """The exchange it is offered in; empty: the scenario's own."""

    @property
    def label(self) -> str:
        """What tells it from the seller's other slots."""
        return f"{self.name}@{self.exchange}" if self.exchange else self.name


def offered_slots(scenario: Scenario) -> list[Offered]:
    """Every slot in index order: the publishers', the networks', and the publishers' again in each further exchange."""
    own = [
        Offered(p, name, slot, False) for p, body in scenario.publishers.items() for name, slot in body.slots.items()
    ]
    resold = [
        Offered(n, name, slot, True) for n, body in scenario.networks.items() for name, slot in body.slots.items()
    ]
    again = [
        Offered(p, name, slot, False, exchange)
        for p, body in scenario.publishers.items()
        for name, slot in body.slots.items()
        for exchange in body.header
    ]
    return own + resold + again


def seller_names(scenario: Scenario) -> list[str]:
    """Everybody who offers slots, in index order: the publishers, then the networks."""
    return [*scenario.publishers, *scenario.networks]


def masked_names(scenario: Scenario) -> list[str]:
    """The names buyers know the sellers by: anonymous ones have a number instead."""
    names = seller_names(scenario)
    masks = (mask for k in range(1, 2 * len(names) + 1) if (mask := f"anonymous-{k}") not in names)
    return [
        next(masks) if name in scenario.publishers and scenario.publishers[name].anonymous else name for name in names
    ]


def masked_slots(scenario: Scenario) -> list[str]:
    """The names buyers know the slots by, as publisher/slot; an anonymous seller's are numbered."""
    known_as = dict(zip(seller_names(scenario), masked_names(scenario), strict=True))
    told, count = [], dict.fromkeys(known_as, 0)
    for offered in offered_slots(scenario):
        count[offered.owner] += 1
        mask = known_as[offered.owner]
        told.append(f"{mask}/{offered.label if mask == offered.owner else f'slot-{count[offered.owner]}'}")
    return told


def covers(scenario: Scenario, deal: Deal, offered: Offered) -> bool:
    """Whether a deal is about this slot."""
    if offered.resold or offered.exchange:
        return False
    if deal.package is not None:
        return offered.name in scenario.packages[deal.package].slots.get(offered.owner, ())
    return deal.publisher == offered.owner and (deal.slots is None or offered.name in deal.slots)


def compile_selling(scenario: Scenario, rivals: list[str], slots: NDArray[np.void]) -> Selling:
    """The sellers' rules; writes into *slots* (SLOT[S]) where each finds its own. *rivals*: names of the groups.

    A private auction nobody else is invited to has the group after the last: one that does not bid.
    """
    offers = offered_slots(scenario)
    slots["rival_scale"], slots["reserve_ix"] = 1.0, -1
    kinds = [DEAL_KINDS.index(deal.kind) for deal in scenario.deals.values()]
    slot_deals: list[int] = []
    learned: list[tuple[int, float, float]] = []
    for s, offered in enumerate(offers):
        own = [d for d, deal in enumerate(scenario.deals.values()) if covers(scenario, deal, offered)]
        own.sort(key=lambda d: -kinds[d])
        slots["deals_first"][s], slots["deals_count"][s] = len(slot_deals), len(own)
        slot_deals += own
        reserve = offered.slot.reserve
        if isinstance(reserve, AdaptiveReserve):
            slots["reserve_ix"][s] = len(learned)
            learned.append((s, reserve.explore, 0.5 ** (1.0 / reserve.half_life_ticks)))
        seller = scenario.networks[offered.owner] if offered.resold else scenario.publishers[offered.owner]
        header = not offered.resold and bool(scenario.publishers[offered.owner].header)
        slots["rival_scale"][s] = 1.0 - seller.discount
        _resell(scenario, offered, offers, slots, s)
        tiered = len(own) > 1 or any(kinds[d] > 1 for d in own)
        rules = not offered.resold and bool(scenario.publishers[offered.owner].floor_rules)
        special = header or tiered or rules or offered.slot.soft_floor > 0 or reserve is not None or seller.discount > 0
        slots["rules"][s] = int(special or slots["network_share"][s] > 0.0)
    reserves, observed = new_reserves(learned)
    barred = _barred(scenario, offers)
    slots["rules"] |= barred.any(axis=0) if len(barred) else 0
    return Selling(
        barred=barred,
        paths=_paths(scenario, offers),
        floors=_floors(scenario, offers),
        slot_deals=np.array(slot_deals or [0], np.int64),
        deals=_deals(scenario, rivals),
        delivered=np.zeros(max(1, len(scenario.deals)), np.int64),
        reserves=reserves,
        observed=observed,
    )


def fresh_selling(selling: Selling) -> Selling:
    """The same rules before anything has been sold or learned."""
    reserves = selling.reserves.copy()
    reserves["floor_nanos"] = 0
    return selling._replace(
        delivered=np.zeros_like(selling.delivered), reserves=reserves, observed=np.zeros_like(selling.observed)
    )


def _resell(scenario: Scenario, offered: Offered, offers: list[Offered], slots: NDArray[np.void], s: int) -> None:
    """Which network takes a share of this slot's impressions, and as which of its slots."""
    if offered.resold or offered.exchange:
        return
    for name, network in scenario.networks.items():
        bulk = network.buys.get(offered.owner)
        blind = [
            k for k, other in enumerate(offers) if other.owner == name and other.slot.format == offered.slot.format
        ]
        if bulk is not None and blind:
            slots["network_share"][s], slots["network_slot_ix"][s] = bulk.share, blind[0]
            return


def _deals(scenario: Scenario, rivals: list[str]) -> NDArray[np.void]:
    rows = np.zeros(max(1, len(scenario.deals)), DEAL)
    for d, deal in enumerate(scenario.deals.values()):
        days = scenario.days if deal.days is None else min(deal.days, scenario.days)
        invited = len(rivals) if deal.rivals is None else rivals.index(deal.rivals)
        rows[d] = (
            *(DEAL_KINDS.index(deal.kind), invited, int(deal.pace == "even"), cpm_to_nanos(deal.floor)),
            *(deal.impressions or 0, days * 86400.0),
        )
    return rows


def fee_parts(share: float) -> int:
    """A share in billionths, which is how fees are taken."""
    return round(share * FEE_PARTS)


def _barred(scenario: Scenario, offers: list[Offered]) -> NDArray[np.uint8]:
    """uint8[C, S]: where the seat of each campaign may not buy; uint8[0, 0] where all may everywhere."""
    seats = [campaign.seat or name for name, campaign in scenario.campaigns.items()]
    rows = np.zeros((len(seats), len(offers)), np.uint8)
    for c, name in enumerate(seats):
        seat = scenario.seats.get(name, Seat())
        for s, offered in enumerate(offers):
            asked = None if offered.resold else scenario.publishers[offered.owner].seats
            if asked is not None and name not in asked:
                rows[c, s] = SELLER_BARS
                continue
            may = seat.sellers is None or offered.owner in seat.sellers
            may = may and (seat.exchanges is None or not offered.exchange or offered.exchange in seat.exchanges)
            if not may or (seat.formats is not None and offered.slot.format not in seat.formats):
                rows[c, s] = SEAT_BARS
    return rows if rows.any() else np.zeros((0, 0), np.uint8)


def _paths(scenario: Scenario, offers: list[Offered]) -> NDArray[np.void]:
    """PATH[S], or nothing where nobody sells by header bidding."""
    if not any(publisher.header for publisher in scenario.publishers.values()):
        return np.zeros(0, PATH)
    rows = np.zeros(len(offers), PATH)
    for s, offered in enumerate(offers):
        own = scenario.exchanges.get(offered.exchange)
        kind = (None if own is None else own.auction) or scenario.auction.kind
        rows["auction_kind"][s] = SECOND_PRICE if kind == "second_price" else FIRST_PRICE
        rows["fee_parts"][s] = fee_parts(scenario.fees.exchange if own is None else own.fee)
        rows["own_rivals"][s] = int(own is not None and own.rivals is not None)
        if not offered.resold and not offered.exchange:
            further = [k for k, o in enumerate(offers) if o.exchange and o[:2] == offered[:2]]
            rows["first"][s], rows["count"][s] = further[0] if further else 0, len(further)
    return rows


def reserve_nanos(reserve: MyersonReserve) -> int:
    """Myerson's reserve for the declared values."""
    values = reserve.values
    if isinstance(values, Uniform):
        return cpm_to_nanos(uniform_reserve(values.low, values.high))
    return cpm_to_nanos(lognormal_reserve(math.log(values.median), values.sigma))


def _floors(scenario: Scenario, offers: list[Offered]) -> NDArray[np.int64]:
    """int64[168 or 1, S, places or 1, 3]."""
    rules = [rule for body in scenario.publishers.values() for rule in body.floor_rules]
    hours = 168 if any(rule.hours is not None for rule in rules) else 1
    places = list(scenario.places) if any(rule.places is not None for rule in rules) else ["*"]
    floors = np.zeros((hours, len(offers), len(places), 3), np.int64)
    for s, offered in enumerate(offers):
        slot = offered.slot
        least = reserve_nanos(slot.reserve) if isinstance(slot.reserve, MyersonReserve) else 0
        floors[:, s, :, SOFT_FLOOR] = cpm_to_nanos(slot.soft_floor)
        own = [] if offered.resold else scenario.publishers[offered.owner].floor_rules
        for column, buyer in ((OUR_FLOOR, "campaigns"), (RIVALS_FLOOR, "rivals")):
            fitting = [rule for rule in own if rule.buyer in ("anyone", buyer) and _about(rule, offered)]
            exchange = scenario.exchanges.get(offered.exchange)
            least = max(least, cpm_to_nanos(exchange.floor) if exchange else 0)
            for h in range(hours):
                for p, place in enumerate(places):
                    floor = next((rule.floor for rule in fitting if _now(rule, h, place)), slot.floor)
                    floors[h, s, p, column] = max(cpm_to_nanos(floor), least)
    return floors


def _about(rule: FloorRule, offered: Offered) -> bool:
    slots_fit = rule.slots is None or offered.name in rule.slots
    return slots_fit and (rule.formats is None or offered.slot.format in rule.formats)


def _now(rule: FloorRule, hour: int, place: str) -> bool:
    return (rule.hours is None or hour in rule.hours) and (rule.places is None or place in rule.places)


def bulk_nanos(scenario: Scenario) -> NDArray[np.int64]:
    """int64[S]: what the network that takes part of each slot pays for an impression of it."""
    prices = np.zeros(len(offered_slots(scenario)), np.int64)
    for s, offered in enumerate(offered_slots(scenario)):
        for network in scenario.networks.values():
            formats = [slot.format for slot in network.slots.values()]
            if not offered.resold and offered.owner in network.buys and offered.slot.format in formats:
                prices[s] = round(network.buys[offered.owner].price * NANOS_PER_CPM)
                break
    return prices
