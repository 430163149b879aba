"""The tournament: one book of many seats against a desk of its own for every seat, and hindsight against playing it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from bidder.build import build_book
from bidder.core.book import IMPRESSION
from bidder.core.codes import NO_CONSENT, REASONS
from bidder.core.curves import CURVE_BELIEVED
from bidder.core.decide import decide
from bidder.core.entries import ENTRY
from bidder.core.settle import buy, click, lose, tick
from bidder.core.touch import touch
from bidder.room import ensure_room
from exchange_sim.outcomes import expose
from exchange_sim.pending import PENDING
from exchange_sim.rivals import best_rival_nanos
from exchange_sim.selling.rules import TERMS
from exchange_sim.selling.terms import set_terms
from exchange_sim.traffic import draw_opportunities, draw_signals
from exchange_sim.world import OPPORTUNITY, SECOND_PRICE
from experiments.cli.tournament import tournament
from experiments.drivers.batch_kernel import see
from experiments.ledger import RESULT_OUTBID, RESULT_WON
from experiments.scenario.models import Scenario
from experiments.setting import Setting, fresh_truth, make_ready
from experiments.tournament.hindsight import MULTIPLIERS, lowest_winning, multipliers
from experiments.tournament.kernel import Field, told_of
from experiments.tournament.run import run_tournament, seat_names
from experiments.tournament.standings import MEANINGS, agents_table
from tests.oracles.worlds import scenario_of

UNIFORM = {"kind": "private", "value": {"kind": "uniform", "high": 2.0}}
OWN = "from numba import njit\n@njit\ndef bid(o):\n    return 0.5 * (o.worth_cpm + o.floor_cpm)\n"


def field(kind: str, **parts: Any) -> Scenario:
    """Eight agents of every sort; two of them share a seat."""

    def agent(goal: dict[str, Any] = UNIFORM, **more: Any) -> dict[str, Any]:
        return {"product": "offer", "budget": {"total": 0.15}, "goal": goal} | more

    return scenario_of(
        days=0.5,
        tick_s=1800.0,
        people={"count": 60, "consent_share": 0.7},
        products={"offer": {"effect": {"ctr": 0.2, "conversion": 0.05, "delay_h": 100.0}}},
        publishers={"site": {"slots": {"a": {"format": "display", "floor": 0.4}, "b": {"format": "video"}}}},
        rivals={
            "some": {"kind": "independent", "count": 2, "price": {"kind": "lognormal", "median": 0.6, "sigma": 0.5}}
        },
        traffic={"requests_per_day": 3000},
        auction={"kind": kind, "tie": "coin"},
        campaigns={
            "truthful": agent(),
            "cut": agent(bid={"kind": "truthful", "multiplier": 0.7}, seat="pair"),
            "capped": agent(caps=[{"limit": 4, "per": "6h"}], seat="pair"),
            "adaptive": agent(pacing={"kind": "adaptive", "step": 0.02}),
            "constant": agent(
                goal={"kind": "cpm", "value": 1.5}, bid={"kind": "constant", "price": 1.1}, pacing="even"
            ),
            "copy": agent(goal={"kind": "cpm", "value": 1.5}, bid={"kind": "constant", "price": 1.1}),
            "clicks": agent(goal={"kind": "cpc", "value": 0.006}, rates={"ctr": 0.2, "learned": True}),
            "own": agent(strategy="own.py:bid", strategy_source=OWN, budget={"total": 0.5, "daily": 0.2}),
        },
        **parts,
    )


def play_apart(setting: Setting) -> tuple[list[tuple[int, int, int]], np.ndarray[Any, Any]]:
    """Every purchase (auction, campaign, price) and every reason, where each seat keeps a book of its own."""
    world, names = setting.world, seat_names(setting.scenario)
    seats = [[c for c, name in enumerate(names) if name == seat] for seat in dict.fromkeys(names)]
    books = [
        build_book([setting.plans[c] for c in members], setting.directory, people_count=world.people_count)
        for members in seats
    ]
    tallies = [np.zeros((len(members), len(REASONS)), np.int64) for members in seats]
    bought, opps, imps = [], np.zeros(1, OPPORTUNITY), np.zeros(1, IMPRESSION)
    signals, cursor = np.zeros(max(1, len(world.signal_keys)), np.int64), np.zeros(2)
    pending, pending_size = np.zeros(10_000, PENDING), np.zeros(1, np.int64)
    second_price = world.auction_kind == SECOND_PRICE
    for start_s, end_s in setting.ticks():
        for book in books:
            tick(book, start_s)
        while draw_opportunities(world, opps, 1, cursor, end_s):
            key, slot, now_s = opps["key"][0], int(opps["slot_ix"][0]), float(opps["time_s"][0])
            terms = np.zeros(1, TERMS)
            set_terms(world, opps, 0, terms, 0)
            see(world, books[0], opps, 0, terms, 0, imps)
            draw_signals(world, key, signals)
            row = setting.audience.rows[opps["buyer_ix"][0]]
            offers = []
            for s, members in enumerate(seats):
                books[s] = ensure_room(books[s])
                c, bid, _, _ = decide(books[s], row, imps, 0, signals, tallies[s])
                if c >= 0:
                    offers.append((bid, _coin(key, members[c]), s, c))
            offers.sort(reverse=True)
            floor = int(world.slots["floor_nanos"][slot])
            rival = best_rival_nanos(world, 0, key)
            rival = rival if rival >= floor else 0
            wins = bool(offers) and offers[0][0] > rival
            for place, (bid, _, s, c) in enumerate(offers):
                if place > 0 or not wins:
                    lose(books[s], c)
                    continue
                price = max(rival, floor, offers[1][0] if len(offers) > 1 else 0) if second_price else bid
                person_ix, context = imps["person_ix"][0], touch(books[s], c, imps, 0)
                buy(books[s], c, person_ix, context, price, now_s)
                bought.append((int(opps["auction_ix"][0]), seats[s][c], price))
                if expose(world, opps, 0, seats[s][c], pending, pending_size):
                    click(books[s], c, person_ix, context, now_s)
    reasons = np.zeros((len(names), len(REASONS)), np.int64)
    for members, tally in zip(seats, tallies, strict=True):
        reasons[members] = tally
    return bought, reasons


def _coin(key: Any, campaign_ix: int) -> int:
    from exchange_sim.draws import COIN, bits

    return int(bits(key + np.uint64(campaign_ix), COIN))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["first_price", "second_price"])
def test_one_book_of_many_seats_is_many_bidders(kind: str) -> None:
    setting = make_ready(field(kind))
    played = run_tournament(setting)
    bought, reasons = play_apart(fresh_truth(setting))
    shown = played.ledger.exposures
    assert len(bought) > 300
    assert len({campaign for _, campaign, _ in bought}) == 8
    assert list(zip(shown["auction_ix"], shown["campaign_ix"], shown["price_nanos"], strict=True)) == bought
    assert np.array_equal(played.ledger.tallies.reasons, reasons)
    assert reasons[:, NO_CONSENT].any()
    campaigns = played.book.campaigns
    assert (campaigns["spent_nanos"] <= campaigns["total_nanos"]).all()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["first_price", "second_price"])
@pytest.mark.parametrize("total", [1e6, 0.2])
def test_hindsight_is_what_playing_the_multiplier_makes(kind: str, total: float) -> None:
    """Others whose bids do not react: the agent's own multiple, really played, buys what hindsight says."""
    for multiplier in (0.5, 0.75, 1.0):
        scenario = field(kind)
        campaigns = dict(list(scenario.model_dump()["campaigns"].items())[:1])
        budget = {"total": total}
        campaigns["truthful"] |= {"bid": {"kind": "truthful", "multiplier": multiplier}, "budget": budget}
        others = {"kind": "cpm", "value": 1.0}
        campaigns["constant"] = {"budget": {"total": 1e6}, "goal": others, "bid": {"kind": "constant", "price": 0.7}}
        played = run_tournament(make_ready(Scenario.model_validate(scenario.model_dump() | {"campaigns": campaigns})))
        at = int(np.flatnonzero(multipliers() == multiplier)[0])
        mine = played.ledger.exposures[played.ledger.exposures["campaign_ix"] == 0]
        worth, spend = mine["worth_nanos"].sum(), mine["price_nanos"].sum()
        assert len(mine) > 50
        # Rounding a bid down to whole nanos, and the part of an impression that hindsight may buy at the end.
        assert played.hindsight.worth[0, at] == pytest.approx(worth, rel=1e-6 if total > 1 else 0.02)
        assert played.hindsight.spent[0, at] == pytest.approx(spend, rel=1e-6 if total > 1 else 0.02)


def test_the_lowest_winning_multiplier_is_the_first_of_the_grid_that_bids_more() -> None:
    grid = multipliers()
    assert (np.diff(grid) > 0).all()
    for price in (0, 1, 15_624, 15_625, 300_000, 999_999, 1_000_000, 1_000_001, 3_875_000, 10**9):
        above = np.flatnonzero(grid * 1_000_000 > price)
        assert lowest_winning(price, 1_000_000) == (above[0] if len(above) else MULTIPLIERS)


def test_an_agent_alone_regrets_what_it_overpaid() -> None:
    """Nobody else bids, first price, floor 0.5, worth 1: hindsight pays the first of the grid above the floor."""
    campaigns = {"alone": {"budget": {"total": 9.0}, "goal": {"kind": "cpm", "value": 1.0}}}
    publishers = {"site": {"slots": {"slot": {"format": "display", "floor": 0.5}}}}
    scenario = scenario_of(campaigns=campaigns, publishers=publishers, auction={"kind": "first_price"}, days=0.1)
    setting = make_ready(scenario)
    played = run_tournament(setting)
    row = agents_table(setting, played).to_pylist()[0]
    count = played.ledger.auctions
    assert count == row["impressions"] > 50
    assert (row["worth_nanos"], row["spend_nanos"], row["roi"], row["cpa_nanos"]) == (
        count * 10**6,
        count * 10**6,
        0.0,
        None,
    )
    assert (row["best_multiplier"], row["best_spend_nanos"]) == (0.53125, count * 531_250)
    assert row["regret_nanos"] == count * 468_750


def test_the_command_writes_a_whole_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tournament("tournament", ["days=0.02", "people.count=200"], None, tmp_path / "runs", True)
    said = json.loads(capsys.readouterr().out)
    folder = Path(said["run"])
    names = {
        "agents.parquet",
        "delivery.parquet",
        "tournament.png",
        "tournament.html",
        "scenario.yaml",
        "manifest.json",
    }
    assert {path.name for path in folder.iterdir()} == names
    agents, delivery = pq.read_table(folder / "agents.parquet"), pq.read_table(folder / "delivery.parquet")
    assert agents.column_names == list(MEANINGS)
    assert agents.num_rows == 48
    assert delivery["spend_nanos"].to_numpy().sum() == agents["spend_nanos"].to_numpy().sum() > 0
    assert delivery["worth_nanos"].to_numpy().sum() == agents["worth_nanos"].to_numpy().sum()
    assert all(row["spend_nanos"] <= row["budget_nanos"] for row in said["agents"])
    page = (folder / "tournament.html").read_text()
    assert page.count("<tr>") == 49
    assert "http" not in page.replace("http-equiv", "").replace("http://www.w3.org", "")


def test_seats_are_told_what_would_have_won() -> None:
    """The best of everybody else's bids, the rivals' or the floor; every bid sent is heard of as a price."""
    curve = {"kind": "lognormal", "median": 0.6, "sigma": 0.5, "learned": True}
    plan = field("first_price").model_dump()
    plan["campaigns"]["truthful"] |= {"bid": {"kind": "shaded", "curve": curve}}
    plan["auction"]["min_to_win"] = "everybody"
    setting = make_ready(Scenario.model_validate(plan))
    result = run_tournament(setting)
    sent = result.ledger.tallies.results[0, [RESULT_WON, RESULT_OUTBID]].sum()
    assert sent > 50
    assert result.book.campaigns["curve_seen"][0] == CURVE_BELIEVED + sent
    entries = np.zeros(3, ENTRY)
    entries["campaign_ix"], entries["bid_nanos"] = [0, 3, 4], [900_000, 1_200_000, 700_000]
    told = Field(np.arange(8), entries, np.full(8, -1))
    for rival, expected in ((0, (1_200_000, 900_000, 1_200_000)), (1_000_000, (1_200_000, 1_000_000, 1_200_000))):
        got = [told_of(setting.world, result.book, told, k, 0, rival, 1, 0, k == 1) for k in range(3)]
        assert tuple(got) == expected
