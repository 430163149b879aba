"""The same demand and luck, sold in other ways: variants of a scenario, and what each brings whom.

Draws are hashes of the seed, so all variants of one seed meet the same people, rivals and clicks: differences between
them are paired. Money in currency units.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from exchange_sim.distributions import quantile
from exchange_sim.draws import BEST_RIVAL, key_of, name_key, uniform
from exchange_sim.selling.reserve import empirical_reserve, fitted_lognormal, fitted_uniform
from exchange_sim.selling.rules import DEAL_KINDS
from experiments.accounting.selling import RIVALS, money
from experiments.compile.market import compile_world
from experiments.drivers.batch import run_batch
from experiments.errors import ScenarioError
from experiments.ledger import SLOT_CLASHES, SLOT_RIVAL_BIDS, SLOT_SOLD
from experiments.scenario.models import Scenario
from experiments.scenario.problems import dotted
from experiments.scenario.references import find_problems
from experiments.setting import make_ready
from openrtb.money import NANOS_PER_CPM, NANOS_PER_UNIT

SAMPLE = 4000
"""Bids of one rival a seller has seen before it fits their distribution."""

Data = dict[str, Any]
Told = TypeVar("Told")


class Result(NamedTuple):
    """What one variant of one seed brought."""

    requests: int
    sold: int
    publisher: float
    """Publishers' revenue."""
    paid: float
    """Paid by advertisers, refunds taken off."""
    fees: float
    """Kept by trading desk, buying platform, exchange and selling platform."""
    network: float
    surplus: float
    """Worth of what was bought, less its price before buy-side fees; a rival's bid counts as its worth."""
    clashes: int
    """Impressions beside another ad of their category on the same page."""

    @property
    def fill(self) -> float:
        """Share of the requests that were sold."""
        return self.sold / self.requests if self.requests else 0.0

    @property
    def ecpm(self) -> float:
        """Publishers' revenue per thousand requests."""
        return 1000.0 * self.publisher / self.requests if self.requests else 0.0


def measure(scenario: Scenario) -> Result:
    """Run *scenario* with driver batch."""
    setting = make_ready(scenario)
    ledger, _ = run_batch(setting)
    columns, slots, shown = money(setting, ledger), ledger.tallies.slots, ledger.exposures
    sums = {name: int(values.sum()) for name, values in columns.items() if name.endswith("_nanos")}
    by_rivals = [buyer == RIVALS for buyer in columns["buyer_id"]]
    rivals_paid = sum(int(n) for n, ours in zip(columns["advertiser_nanos"], by_rivals, strict=True) if ours)
    surplus = int((shown["worth_nanos"] - shown["price_nanos"]).sum())
    surplus += int(slots[:, SLOT_RIVAL_BIDS].sum()) - rivals_paid
    fees = sum(sums[f"{name}_nanos"] for name in ("trading_desk", "dsp", "exchange", "ssp"))
    return Result(
        requests=int(ledger.auctions),
        sold=int(slots[:, SLOT_SOLD].sum()),
        publisher=sums["publisher_nanos"] / NANOS_PER_UNIT,
        paid=(sums["advertiser_nanos"] - sums["refund_nanos"]) / NANOS_PER_UNIT,
        fees=fees / NANOS_PER_UNIT,
        network=sums["network_nanos"] / NANOS_PER_UNIT,
        surplus=surplus / NANOS_PER_UNIT,
        clashes=int(slots[:, SLOT_CLASHES].sum()),
    )


def compare(
    variants: dict[str, Callable[[Data], Data]],
    scenario: Scenario,
    seeds: int,
    measured: Callable[[Scenario], Told],
    on_run: Callable[[], None] = lambda: None,
) -> Iterator[tuple[str, list[Told]]]:
    """(variant, what is measured of it for each seed), one after another; the seeds follow the scenario's own.

    *on_run* is called after each run.
    """
    for name, change in variants.items():
        results = []
        for k in range(seeds):
            data = change(scenario.model_dump()) | {"seed": scenario.seed + k}
            results.append(measured(Scenario.model_validate(data)))
            on_run()
        yield name, results


def feasible(
    variants: dict[str, Callable[[Data], Data]], scenario: Scenario
) -> tuple[dict[str, Callable[[Data], Data]], dict[str, str]]:
    """The variants that *scenario* allows, and why it does not allow the others.

    Raises `ScenarioError` where it does not even allow the first, with which the others are compared.
    """
    left_out: dict[str, str] = {}
    for name, change in variants.items():
        try:
            problems = find_problems(change(scenario.model_dump()))
        except ScenarioError as error:
            left_out[name] = str(error)
            continue
        if problems:
            left_out[name] = f"{dotted(problems[0].path)}: {problems[0].message}"
    first = next(iter(variants))
    if first in left_out:
        raise ScenarioError(f"{scenario.name}: cannot be run as {first!r}, which is compared with: {left_out[first]}")
    return {name: change for name, change in variants.items() if name not in left_out}, left_out


def paired_difference(results: list[Result], base: list[Result]) -> tuple[float, float | None]:
    """Mean difference of publishers' revenue from *base* in pairs, and its standard error (None: one seed only)."""
    differences = np.array([a.publisher - b.publisher for a, b in zip(results, base, strict=True)])
    if len(differences) < 2:
        return float(differences.mean()), None
    return float(differences.mean()), float(differences.std(ddof=1) / math.sqrt(len(differences)))


# -- ways to sell --


def _only(data: Data, *, deals: tuple[str, ...] = (), networks: bool = False, header: bool = False) -> Data:
    """The scenario with deals of these kinds, and with or without its networks and its other exchanges.

    Campaigns that target a deal which is gone bid in the open auction.
    """
    kept = {name: deal for name, deal in data["deals"].items() if deal["kind"] in deals}
    for campaign in data["campaigns"].values():
        target = campaign["target"]
        target["deals"] = [name for name in target["deals"] if name in kept]
        if not networks:
            target["publishers"] = [name for name in target["publishers"] if name in data["publishers"]]
    for publisher in data["publishers"].values():
        publisher["header"] = publisher["header"] if header else []
    return data | {"deals": kept, "networks": data["networks"] if networks else {}}


def sold_openly(data: Data) -> Data:
    """No deals, no networks, one exchange: everybody bids in the open auction."""
    return _only(data)


def sold_in_private_auctions(data: Data) -> Data:
    """The scenario's private auctions before the open one."""
    return _only(data, deals=("private_auction",))


def sold_at_first_look(data: Data) -> Data:
    """The scenario's preferred deals before the open auction."""
    return _only(data, deals=("preferred",))


def sold_with_guarantee(data: Data) -> Data:
    """The scenario's guaranteed deals before the open auction."""
    return _only(data, deals=("guaranteed",))


def sold_privately(data: Data) -> Data:
    """All of the scenario's deals beside the open auction."""
    return _only(data, deals=DEAL_KINDS)


def sold_by_header(data: Data) -> Data:
    """The open auction in all the exchanges that the sellers ask."""
    return _only(data, header=True)


def sold_to_networks(data: Data) -> Data:
    """All that the scenario's networks can take goes through them; no deals."""
    data = _only(data, networks=True)
    for network in data["networks"].values():
        for bulk in network["buys"].values():
            bulk["share"] = 1.0
    return data


def under_their_names(data: Data) -> Data:
    """Everything at once, and nobody sells under a mask: rivals bid there as their distribution says."""
    for publisher in data["publishers"].values():
        if publisher["anonymous"]:
            publisher |= {"anonymous": False, "discount": 0.0}
    return data


def as_written(data: Data) -> Data:
    """Everything at once, as the scenario says."""
    return data


WAYS_COMPARED: dict[str, Callable[[Data], Data]] = {
    "open auction": sold_openly,
    "private auction": sold_in_private_auctions,
    "preferred deal": sold_at_first_look,
    "guaranteed": sold_with_guarantee,
    "private market": sold_privately,
    "header bidding": sold_by_header,
    "ad network": sold_to_networks,
    "under their names": under_their_names,
    "as written": as_written,
}


def ways_of(scenario: Scenario) -> dict[str, Callable[[Data], Data]]:
    """The ways to sell that *scenario* has, and the open auction to compare them with.

    Raises `ScenarioError` when it has no other.
    """
    kinds = {deal.kind for deal in scenario.deals.values()}
    has = {
        "private auction": "private_auction" in kinds,
        "preferred deal": "preferred" in kinds,
        "guaranteed": "guaranteed" in kinds,
        "private market": bool(kinds),
        "header bidding": any(publisher.header for publisher in scenario.publishers.values()),
        "ad network": bool(scenario.networks),
        "under their names": any(publisher.anonymous for publisher in scenario.publishers.values()),
    }
    if not any(has.values()):
        message = "everything is sold in one open auction, so there is nothing to compare it with"
        raise ScenarioError(
            f"deals: {message}; add deals, networks, exchanges under publishers.*.header, or an anonymous seller"
        )
    return {name: change for name, change in WAYS_COMPARED.items() if has.get(name, True)}


# -- floors --


def _slots(data: Data) -> Iterator[tuple[str, Data]]:
    """(group of rivals, slot) of every slot of publishers and networks."""
    only = next(iter(data["rivals"]))
    for owner in ("publishers", "networks"):
        for body in data[owner].values():
            for slot in body["slots"].values():
                yield body["rivals"] or only, slot


def no_floors(data: Data) -> Data:
    """Everything is sold that anybody bids for."""
    for body in data["publishers"].values():
        body["floor_rules"] = []
    for _, slot in _slots(data):
        slot |= {"floor": 0.0, "soft_floor": 0.0, "reserve": None}
    return data


def fixed_floors(data: Data) -> Data:
    """The slots' own floors, and nothing else."""
    for body in data["publishers"].values():
        body["floor_rules"] = []
    for _, slot in _slots(data):
        slot |= {"soft_floor": 0.0, "reserve": None}
    return data


def floors_by_rule(data: Data) -> Data:
    """Fixed floors and the publishers' rules."""
    for _, slot in _slots(data):
        slot |= {"soft_floor": 0.0, "reserve": None}
    return data


def soft_floors(data: Data) -> Data:
    """Fixed floors, and soft ones where the scenario has them."""
    for body in data["publishers"].values():
        body["floor_rules"] = []
    for _, slot in _slots(data):
        slot["reserve"] = None
    return data


def myerson_reserves(data: Data) -> Data:
    """No floor but Myerson's reserve, from a distribution fitted to bids seen of one rival at each slot."""
    data = no_floors(data)
    bidding = [name for name, group in data["rivals"].items() if group["kind"] != "none"]
    fits = {name: fitted_values(seen_bids(data, name)) for name in bidding}
    for name, slot in _slots(data):
        if name in fits:
            slot["reserve"] = {"kind": "myerson", "values": fits[name]}
    return data


def empirical_reserves(data: Data) -> Data:
    """No floor but the price that would have earned most from those bids: no distribution is supposed."""
    data = no_floors(data)
    bidding = [name for name, group in data["rivals"].items() if group["kind"] != "none"]
    best = {name: empirical_reserve(seen_bids(data, name)) for name in bidding}
    for name, slot in _slots(data):
        slot["floor"] = best.get(name, 0.0)
    return data


def adaptive_reserves(data: Data) -> Data:
    """No floor but one that each slot learns while it sells, where it is not sold in several exchanges at once.

    Raises `ScenarioError` where no slot can learn.
    """
    data, learns = no_floors(data), False
    for owner in ("publishers", "networks"):
        for body in data[owner].values():
            for slot in {} if body.get("header") else body["slots"].values():
                slot["reserve"], learns = {"kind": "adaptive", "explore": 0.1, "half_life_ticks": 288.0}, True
    if not learns:
        raise ScenarioError("no floor is learned where everything is sold in several exchanges at once")
    return data


FLOORS_COMPARED: dict[str, Callable[[Data], Data]] = {
    "none": no_floors,
    "fixed": fixed_floors,
    "by rule": floors_by_rule,
    "soft": soft_floors,
    "myerson": myerson_reserves,
    "empirical": empirical_reserves,
    "adaptive": adaptive_reserves,
}


def seen_bids(data: Data, rivals: str) -> NDArray[np.float64]:
    """float64[SAMPLE]: bids (CPM) of one rival of a group, as a seller without a floor has seen them."""
    world = compile_world(Scenario.model_validate(data | {"people": data["people"] | {"count": 1}}))
    d = world.rivals["distribution_ix"][list(data["rivals"]).index(rivals)]
    keys = [np.uint64(key_of(name_key(rivals), BEST_RIVAL, k)) for k in range(SAMPLE)]
    draws = [uniform(key, BEST_RIVAL) for key in keys]
    return np.array([quantile(world.distributions, d, world.tables, u) for u in draws]) / NANOS_PER_CPM


def fitted_values(bids: NDArray[np.float64]) -> dict[str, Any]:
    """The uniform or lognormal distribution under which these bids are likelier, as a scenario writes it."""
    low, high = fitted_uniform(bids)
    mu, sigma = fitted_lognormal(bids)
    logs = np.log(bids[bids > 0.0])
    normal = -0.5 * ((logs - mu) / sigma) ** 2 - math.log(sigma * math.sqrt(2.0 * math.pi)) - logs
    if -len(bids) * math.log(high - low) >= float(normal.sum()):
        return {"kind": "uniform", "low": low, "high": high}
    return {"kind": "lognormal", "median": math.exp(mu), "sigma": sigma}
