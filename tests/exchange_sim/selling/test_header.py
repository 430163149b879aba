"""Header bidding: fees to the nano, the publisher's choice against a slow one, one sale per impression."""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange_sim.draws import COIN, INVITED, bits, uniform
from exchange_sim.rivals import best_rival_nanos, second_rival_nanos
from exchange_sim.selling.header import ASK, clear_paths, fee_of, least_price, path_key
from exchange_sim.selling.rules import DEAL_KINDS, LOST_ELSEWHERE, LOST_TO_DEAL, TERMS
from exchange_sim.world import OPPORTUNITY, SECOND_PRICE
from experiments.scenario.loader import load
from experiments.setting import Setting, make_ready
from tests.oracles import market as auction

CASES = Path(__file__).parents[2] / "cases"
parts = st.integers(0, 10**9 - 1)


@given(price=st.integers(0, 10**15), fee_parts=parts)
def test_fees_are_exact(price: int, fee_parts: int) -> None:
    """Rounded down to a nano, whatever the price."""
    assert fee_of(price, fee_parts) == int(Fraction(price) * Fraction(fee_parts, 10**9))


@given(net=st.integers(1, 10**9), fee_parts=st.integers(0, 999_000_000))
def test_the_least_price_leaves_enough_and_a_nano_less_does_not(net: int, fee_parts: int) -> None:
    price = least_price(net, fee_parts)
    assert price - fee_of(price, fee_parts) >= net
    assert price - 1 - fee_of(price - 1, fee_parts) < net


@cache
def ready() -> Setting:
    """The market of header bidding, few people."""
    return make_ready(load(CASES / "parity-header.yaml", ["people.count=10"]))


NO_BLOCKS = np.zeros((2, 0, 0, 0), np.int64)


def one(key: np.uint64, slot_ix: int) -> np.ndarray:
    """The opportunity with this key."""
    opps = np.zeros(1, OPPORTUNITY)
    opps["key"], opps["slot_ix"] = key, slot_ix
    return opps


def one_exchange(setting: Setting, key: Any, k: int, terms: Any, bid: int, via_deal: bool) -> dict[str, Any]:
    """One exchange's auction, by sorting bids: what its winner would pay, what is left of it, whether that is us."""
    world, slot_ix = setting.world, int(terms["slot_ix"])
    path, slot = world.selling.paths[slot_ix], world.slots[slot_ix]
    key = np.uint64(path_key(key, k)) if path["own_rivals"] else key
    fee = Fraction(int(path["fee_parts"]), 10**9)
    second = path["auction_kind"] == SECOND_PRICE
    kind, deal_floor = DEAL_KINDS[terms["deal_kind"]], int(terms["deal_floor_nanos"])
    if kind in ("preferred", "guaranteed") and via_deal and bid >= deal_floor:
        return {"fixed": True, "won": True, "paid": deal_floor, "net": deal_floor - int(deal_floor * fee)}
    asked = [("open", int(slot["rivals_ix"]), key)]
    if kind == "private_auction":
        asked.insert(0, ("private", int(world.selling.deals["rivals_ix"][terms["deal_ix"]]), bits(key, INVITED)))
    for where, group, draw in asked:
        draw = np.uint64(draw)
        rivals = [int(f(world, group, draw) * slot["rival_scale"]) for f in (best_rival_nanos, second_rival_nanos)]
        floor = deal_floor if where == "private" else int(terms["rivals_floor_nanos"])
        ours = floor if where == "private" else deal_floor if via_deal else int(terms["floor_nanos"])
        inside = (via_deal if where == "private" else not via_deal or kind == "floor") and bid > 0
        soft = 0 if where == "private" else int(terms["soft_nanos"])
        we_win_ties = bool(uniform(draw, COIN) < 0.5)
        won, _, paid = auction.clear(second, we_win_ties, bid if inside else 0, ours, floor, rivals, soft)
        if won or any(rival > 0 and rival >= floor for rival in rivals):
            return {"fixed": False, "won": won, "paid": paid, "net": paid - int(paid * fee)}
    return {"fixed": False, "won": False, "paid": 0, "net": -1}


@settings(max_examples=100)
@given(seed=st.integers(0, 2**32 - 1))
def test_the_publisher_takes_what_leaves_most(seed: int) -> None:
    """Against a slow choice over auctions held by sorting; sold at most once; losers are told why."""
    setting, rng = ready(), Random(seed)
    world = setting.world
    base = rng.choice([s for s in range(len(world.slots)) if world.selling.paths["count"][s]])
    count = 1 + int(world.selling.paths["count"][base])
    terms, asks = np.zeros(count, TERMS), np.zeros(count, ASK)
    key = np.uint64(rng.getrandbits(64))
    for k in range(count):
        terms["slot_ix"][k] = base if k == 0 else world.selling.paths["first"][base] + k - 1
        terms["floor_nanos"][k], terms["rivals_floor_nanos"][k] = (250_000 * rng.randint(0, 4) for _ in range(2))
        terms["soft_nanos"][k] = rng.choice([0, 900_000])
        terms["deal_ix"][k] = -1
        asks["bid_nanos"][k] = rng.choice([0, 250_000 * rng.randint(1, 6), rng.randint(1, 2_000_000)])
        asks["campaign_ix"][k] = 0 if asks["bid_nanos"][k] else -1
    if rng.random() < 0.5:
        terms["deal_ix"][0], terms["deal_kind"][0] = (d := rng.randrange(3)), world.selling.deals["kind"][d]
        terms["deal_floor_nanos"][0] = world.selling.deals["price_nanos"][d]
        asks["via_deal"][0] = int(asks["bid_nanos"][0] > 0 and rng.random() < 0.7)
    chosen = clear_paths(world, one(key, base), 0, terms, asks, count, NO_BLOCKS)
    slow = [
        one_exchange(setting, key, k, terms[k], int(asks["bid_nanos"][k]), bool(asks["via_deal"][k]))
        for k in range(count)
    ]
    offers = [k for k in range(count) if slow[k]["net"] >= 0]
    best = 0 if slow[0]["fixed"] else max(offers, key=lambda k: (slow[k]["net"], -k), default=-1)
    assert chosen == best
    assert asks["sold"].tolist() == [int(k == best) for k in range(count)]
    assert asks["won"].tolist() == [int(k == best and slow[k]["won"]) for k in range(count)]
    for k in offers:
        assert asks["paid_nanos"][k] == slow[k]["paid"]
        assert asks["fee_nanos"][k] == slow[k]["paid"] - slow[k]["net"]
        if k != best and slow[k]["won"]:
            assert asks["lost"][k] == (LOST_TO_DEAL if slow[best]["fixed"] else LOST_ELSEWHERE)
    if best >= 0 and slow[best]["won"]:
        assert asks["price_nanos"][best] == slow[best]["paid"]


def test_a_cheaper_exchange_wins_a_tie_of_prices() -> None:
    """The same rivals in two exchanges pay the same; the publisher has more of it from the one that keeps less."""
    setting = make_ready(
        load(
            CASES / "parity-header.yaml",
            ["people.count=10", "publishers.paper.header=[green]", "deals={}", "campaigns={only: {budget: {total: 1}, "
             "goal: {kind: cpm, value: 1}, bid: {kind: constant, price: 0.1}}}"],
        )
    )  # fmt: skip
    world, terms, asks = setting.world, np.zeros(2, TERMS), np.zeros(2, ASK)
    terms["slot_ix"][1], terms["deal_ix"] = world.selling.paths["first"][0], -1
    assert clear_paths(world, one(np.uint64(5), 0), 0, terms, asks, 2, NO_BLOCKS) == 1
    assert asks["paid_nanos"][0] == asks["paid_nanos"][1] > 0
    assert asks["fee_nanos"][1] < asks["fee_nanos"][0]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("publishers.paper.header=[blue, blue]", "'blue' is asked already"),
        ("publishers.paper.header=[bleu]", "no exchange is called 'bleu'"),
        ("publishers.paper.slots.top.reserve={kind: adaptive}", "would learn from one exchange's bids"),
        ("exchanges.blue.fee=1", "exchanges.blue.fee: must be below 1"),
    ],
)
def test_contradictions_are_refused(change: str, said: str) -> None:
    from experiments.errors import ScenarioError

    with pytest.raises(ScenarioError, match=said.replace("(", r"\(")):
        load(CASES / "parity-header.yaml", [change])
