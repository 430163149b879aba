"""Every euro is followed from advertiser to publisher, an anonymous seller's name to nowhere: random markets."""

from __future__ import annotations

import json
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange_sim.requests import Arrivals, RequestMaker
from exchange_sim.selling.header import most_paths, set_path_terms
from exchange_sim.selling.rules import TERMS
from exchange_sim.selling.terms import set_terms
from exchange_sim.traffic import draw_opportunities
from exchange_sim.world import OPPORTUNITY
from experiments.accounting.selling import Split, split
from experiments.accounting.tables import account
from experiments.compile.wire import deal_cards, slot_cards
from experiments.drivers.events_kernel import draw_all_signals
from experiments.results.conservation import TAKERS, identities
from experiments.results.dictionary import SELLER_TABLES
from experiments.results.manifest import Manifest
from experiments.results.run_directory import RunDirectory
from experiments.results.tables import build_tables
from experiments.scenario.loader import load
from experiments.scenario.selling import Fees
from tests.oracles.markets import INTERPRETED, random_market, with_header

seeds = st.integers(0, 2**32 - 1)
CASES = Path(__file__).parents[1] / "cases"


@settings(max_examples=10 if INTERPRETED else 80)
@given(seed=seeds)
def test_every_euro_is_followed(seed: int, run: Callable[[dict[str, Any]], Any]) -> None:
    """Payments = publishers + fees + networks + refunds, row by row; each row again from the exposures."""
    done = run(random_market(seed))
    tables = build_tables(account(done.setting, done.ledger, done.book))
    assert [said for said, holds in identities(tables) if not holds] == []
    rows, fees = tables["money"].to_pylist(), done.setting.scenario.fees
    for row in rows:
        assert row["advertiser_nanos"] == sum(row[f"{name}_nanos"] for name in TAKERS)
    publishers, networks = done.setting.scenario.publishers, done.setting.scenario.networks
    shown = tables["exposures"].to_pylist()
    known_as = dict(zip(done.setting.directory.publishers, [*publishers, *networks], strict=True))
    for campaign_id in {row["buyer_id"] for row in rows} & set(done.setting.scenario.campaigns):
        for seller in {row["seller_id"] for row in rows}:
            told = [r for r in rows if (r["buyer_id"], r["seller_id"]) == (campaign_id, seller) and r["impressions"]]
            own = [e for e in shown if e["campaign_id"] == campaign_id and known_as[e["publisher_id"]] == seller]
            assert sum(r["impressions"] for r in told) == len(own)
            for r in told:
                way = r["way"] if r["way"] != "network" else "open"
                paid = sum(e["price_nanos"] for e in own if e["way"] == way)
                assert r["dsp_nanos"] == floor_of(paid, fees.dsp)
                assert r["trading_desk_nanos"] == floor_of(paid, fees.trading_desk)
                assert r["exchange_nanos"] == floor_of(paid, fees.exchange)
                assert r["ssp_nanos"] == floor_of(paid - r["exchange_nanos"], fees.ssp)
                assert (r["network_nanos"] if seller in networks else r["publisher_nanos"]) >= 0
    bulk = sum(r["publisher_nanos"] for r in rows if r["way"] == "bulk")
    handed = (done.ledger.tallies.slots[:, 3]).sum()
    assert bulk == (handed * 200_000 if networks else 0)


@settings(max_examples=6 if INTERPRETED else 25)
@given(seed=seeds)
def test_header_bidding_sells_once_and_every_hop_is_exact(seed: int, run: Callable[[dict[str, Any]], Any]) -> None:
    """Each exchange keeps its fee of each price; the publisher has the rest of the paths it chose, to the nano."""
    done = run(with_header(random_market(seed), Random(seed)))
    scenario, ledger = done.setting.scenario, done.ledger
    tables = build_tables(account(done.setting, ledger, done.book))
    assert [said for said, holds in identities(tables) if not holds] == []
    assert len(set(ledger.exposures["auction_ix"].tolist())) == len(ledger.exposures)  # nothing is bought twice
    at = {name: k for k, name in enumerate(done.setting.directory.slots)}
    path_of = [name.partition("@")[2] for name in done.setting.directory.slots]
    asked = {s for s, exchange in enumerate(path_of) if exchange} | {at["paper/top"], at["paper/clip"]}
    sold, paid, kept = ledger.tallies.slots[:, 1], ledger.tallies.slots[:, 2], ledger.tallies.paths[:, 1]
    for base in ("paper/top", "paper/clip"):
        again = [s for name, s in at.items() if name.startswith(f"{base}@")]
        offers = ledger.tallies.slots[[at[base], *again], 0]
        assert len(again) == len(scenario.publishers["paper"].header)
        assert len(set(offers.tolist())) == 1  # every exchange is asked for every impression not resold
        assert sold[[at[base], *again]].sum() <= offers[0]
        assert (sold[[at[base], *again]] <= ledger.tallies.paths[[at[base], *again], 0]).all()
    shown = [(int(e["slot_ix"]), int(e["price_nanos"])) for e in ledger.exposures]
    for row in tables["money"].to_pylist():
        if row["seller_id"] != "paper" or row["way"] == "bulk" or not row["impressions"]:
            continue
        fee = scenario.exchanges[row["exchange_id"]].fee if row["exchange_id"] else scenario.fees.exchange
        own = tables["exposures"].to_pylist()
        prices = [
            e["price_nanos"]
            for e in own
            if (e["campaign_id"], e["publisher_id"], e["way"]) == (row["buyer_id"], "paper", row["way"])
            and e["slot_id"].partition("@")[2] == row["exchange_id"]
        ]
        if row["buyer_id"] != "rivals":
            assert row["exchange_nanos"] == sum(floor_of(price, fee) for price in prices)
            assert row["ssp_nanos"] == floor_of(sum(prices) - row["exchange_nanos"], scenario.fees.ssp)
    money = [row for row in tables["money"].to_pylist() if row["seller_id"] == "paper" and row["way"] != "bulk"]
    assert sum(row["exchange_nanos"] for row in money) == sum(int(kept[s]) for s in asked)
    passed_on = sum(row["ssp_nanos"] + row["publisher_nanos"] for row in money)
    assert passed_on == sum(int(paid[s]) - int(kept[s]) for s in asked)
    assert all(price >= 0 and s < len(path_of) for s, price in shown)


def floor_of(nanos: int, share: float) -> int:
    """A share of a sum, rounded down; the share to nine digits."""
    return int(Fraction(nanos) * Fraction(round(share * 10**9), 10**9))


@given(
    paid=st.integers(0, 10**15),
    shares=st.tuples(*[st.floats(0, 1)] * 4),
    ours=st.booleans(),
    resold=st.booleans(),
)
def test_nothing_is_lost_in_a_split(paid: int, shares: tuple[float, ...], ours: bool, resold: bool) -> None:
    desk, dsp, exchange, ssp = shares
    told = split(paid, Fees(trading_desk=desk, dsp=dsp, exchange=exchange, ssp=ssp), ours=ours, resold=resold)
    assert told.advertiser == sum(told) - told.advertiser
    assert all(part >= 0 for part in told)
    assert isinstance(told, Split)


SECRETS = ("radar", "hidden-bar", "radar-news")


def hidden(seed: int) -> dict[str, Any]:
    """A random market whose second seller is anonymous, and named nowhere but where sellers are declared."""
    data = random_market(seed)
    radar = data["publishers"]["radar"]
    radar |= {"anonymous": True, "domain": "radar-news.example"}
    radar["slots"] = {"hidden-bar": radar["slots"]["bar"]}
    if seed % 3 == 0:
        with_header(data, Random(seed))
        radar["header"], radar["slots"]["hidden-bar"]["reserve"] = ["blue", "red"], None
    return data


@settings(max_examples=8 if INTERPRETED else 40)
@given(seed=seeds)
def test_an_anonymous_seller_is_named_nowhere_on_the_buyer_s_side(
    seed: int, run: Callable[[dict[str, Any]], Any]
) -> None:
    """In no request, no plan or directory of the bidder, and no table but the sellers' own."""
    done = run(hidden(seed))
    setting = done.setting
    told = [wire_of(setting), repr(setting.directory), repr(setting.plans)]
    tables = build_tables(account(setting, done.ledger, done.book))
    told += [json.dumps(table.to_pylist()) for name, table in tables.items() if name not in SELLER_TABLES]
    assert all(secret not in text for text in told for secret in SECRETS)
    assert "anonymous-1" in told[0]
    assert any(row["seller_id"] == "radar" for row in tables["money"].to_pylist())


def wire_of(setting: Any) -> str:
    """Every request of a run, as sent."""
    world = setting.world
    opps = np.zeros(400, OPPORTUNITY)
    n = draw_opportunities(world, opps, 400, np.zeros(2), setting.end_s)
    signals = np.zeros((n if len(world.signal_keys) else 0, len(world.signal_keys)), np.int64)
    draw_all_signals(world, opps, signals)
    arrivals = Arrivals(opps[:n], signals)
    assert arrivals.terms.dtype == TERMS
    places, user_id = setting.directory.places, setting.audience.user_id
    maker = RequestMaker(
        world, slot_cards(setting), places, user_id, currency="EUR", tmax_ms=100, deals=deal_cards(setting)
    )
    texts = []
    for i in range(n):
        set_terms(world, opps, i, arrivals.terms, i)
        texts.append(msgspec.json.encode(maker.make(arrivals, i)).decode())
        arrivals.path_terms[i] = np.zeros(most_paths(world), TERMS)
        paths = set_path_terms(world, opps, i, arrivals.path_terms[i])
        texts += [msgspec.json.encode(maker.make_path(arrivals, i, k)).decode() for k in range(paths)]
    return "\n".join(texts)


def test_nor_in_any_file_a_run_leaves_for_the_buyer(tmp_path: Path, run: Callable[[dict[str, Any]], Any]) -> None:
    """Report, summary, manifest; only the scenario, which declares it, and the sellers' page and tables know it."""
    data = hidden(3) | {"name": "masked", "verification": {"ads": {"recall": 0.5}}}
    data["publishers"]["radar"]["refuses"] = ["adult"]
    for campaign in data["campaigns"].values():
        campaign["ad"] = {"undeclared": ["adult"]}
    done = run(data)
    tables = build_tables(account(done.setting, done.ledger, done.book))
    manifest = Manifest("masked", 3, "batch", "0" * 64, done.ledger.auctions, "bidlab run x", days=1.0)
    path = RunDirectory(tmp_path / "run").write(tables, manifest, "name: masked\n")
    texts = {f.name: f.read_text() for f in path.iterdir() if f.suffix in (".html", ".json", ".csv", ".yaml")}
    knowing = {name for name, text in texts.items() if any(secret in text for secret in SECRETS)}
    assert knowing == {"sellers.html"}
    assert "anonymous-1" in texts["report.html"]
    safety = texts["report.html"].partition('id="plot-blocked"')[2].partition("</figure>")[0]
    assert "<td>anonymous-1</td>" in safety


def test_every_way_to_sell_on_the_same_inventory() -> None:
    """The case of all ways has all of them: rows for each, and identities that hold."""
    from experiments.drivers.batch import run_batch
    from experiments.setting import make_ready

    setting = make_ready(
        load(CASES / "parity-market.yaml", ["traffic.requests_per_day=3000", "deals.order.impressions=150"])
    )
    tables = build_tables(account(setting, *run_batch(setting)))
    ways = {row["way"] for row in tables["money"].to_pylist()}
    assert ways >= {"open", "private_auction", "preferred", "guaranteed", "network", "bulk"}
    assert [said for said, holds in identities(tables) if not holds] == []
