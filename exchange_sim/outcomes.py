"""Outcomes and their truth: clicks, purchases an exposure caused, purchases that would have happened anyway.

A fresh exposure causes a purchase with probability conversion * fit * timing * format / (1 + stock / saturation), where
stock is the number of earlier exposures to the product's ads, each halved every half-life (adstock, Broadbent 1979).
Caused purchases come on top of organic ones, which no advertising changes: labels and counterfactuals agree.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from exchange_sim.draws import CLICK, CONVERSION, DELAY, ORGANIC_GAP, ORGANIC_PERSON, key_of, uniform
from exchange_sim.kernel import kernel
from exchange_sim.pending import push
from exchange_sim.people import fits, in_market, person_key, purchase_value_nanos
from exchange_sim.reaction import annoy
from exchange_sim.world import World


@kernel
def _remember(world: World, person_ix: int, product_ix: int, time_s: float) -> float:
    """Stock of remembered exposures just before this one; afterwards it is one larger."""
    stock = float(world.stock[person_ix, product_ix, 0])
    if stock > 0.0:
        age_s = time_s - float(world.stock[person_ix, product_ix, 1])
        stock *= 2.0 ** (-age_s / world.products["half_life_s"][product_ix])
    world.stock[person_ix, product_ix, 0] = stock + 1.0
    world.stock[person_ix, product_ix, 1] = time_s
    return stock


@kernel
def response(world: World, person_ix: int, product_ix: int, slot_ix: int, time_s: float) -> float:
    """What an exposure at *time_s* does, as a factor on the product's rates; afterwards the exposure is remembered."""
    strength = 1.0 / (1.0 + _remember(world, person_ix, product_ix, time_s) / world.products["saturation"][product_ix])
    strength *= world.format_effects[product_ix, world.slots["format_ix"][slot_ix]]
    if not fits(world, product_ix, person_ix):
        strength *= world.products["off_interest"][product_ix]
    return strength


@kernel
def timing(world: World, product_ix: int, person: np.uint64, time_s: float) -> float:
    """Factor on the purchase rate of the person with this key: 1 inside their in-market window."""
    return 1.0 if in_market(world, product_ix, person, time_s) else float(world.products["off_window"][product_ix])


@kernel
def expose(
    world: World,
    opps: NDArray[np.void],
    i: int,
    campaign_ix: int,
    pending: NDArray[np.void],
    pending_size: NDArray[np.int64],
) -> bool:
    """Show the campaign's ad to the person of opportunity *i*; returns whether it is clicked.

    A purchase it causes is pushed on *pending* (see `exchange_sim.pending`) to come due later.
    """
    product_ix = world.campaign_products[campaign_ix]
    key, person_ix, time_s = opps["key"][i], opps["person_ix"][i], opps["time_s"][i]
    left = annoy(world.reaction, person_ix, campaign_ix, opps["consent"][i] == 1, key, time_s)
    if product_ix < 0:
        return False
    products = world.products
    strength = left * response(world, person_ix, product_ix, opps["slot_ix"][i], time_s)
    clicked = uniform(key, CLICK) < products["ctr"][product_ix] * strength
    u = uniform(key, CONVERSION)
    if u < products["conversion"][product_ix] * strength:
        person = person_key(world.seed_key, person_ix)
        if u < products["conversion"][product_ix] * strength * timing(world, product_ix, person, time_s):
            due_s = time_s - products["delay_s"][product_ix] * math.log(uniform(key, DELAY))
            value = purchase_value_nanos(world, product_ix, person)
            push(pending, pending_size, due_s, product_ix, person_ix, value, campaign_ix, opps["auction_ix"][i])
    return clicked


@kernel
def draw_organic(
    world: World,
    cursor: NDArray[np.float64],
    until_s: float,
    pending: NDArray[np.void],
    pending_size: NDArray[np.int64],
) -> bool:
    """Push the organic purchases before *until_s*; *cursor* is float64[G, 2]: candidates so far, time of the last.

    Candidates arrive as one Poisson process per product over all people; those who do not fit or are not in the market
    are dropped. Returns False when *pending* is full: make room and call again.
    """
    for g in range(world.products.shape[0]):
        rate = world.products["organic_per_s"][g]
        if rate <= 0.0:
            continue
        while True:
            if pending_size[0] >= pending.shape[0]:
                return False
            key = key_of(world.seed_key + world.products["key"][g], ORGANIC_GAP, int(cursor[g, 0]))
            time_s = cursor[g, 1] - math.log(uniform(key, ORGANIC_GAP)) / rate
            if time_s >= until_s:
                break
            cursor[g, 0] += 1.0
            cursor[g, 1] = time_s
            person_ix = int(uniform(key, ORGANIC_PERSON) * world.people_count)
            person = person_key(world.seed_key, person_ix)
            if fits(world, g, person_ix) and in_market(world, g, person, time_s):
                push(pending, pending_size, time_s, g, person_ix, purchase_value_nanos(world, g, person), -1, -1)
    return True
