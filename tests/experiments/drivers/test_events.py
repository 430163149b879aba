"""The `events` driver with latency and accidents: what must hold whatever the wire does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bidder.core.book import START_OF_DAY_S, Book
from bidder.core.budgets import committed_day_nanos, committed_nanos
from bidder.core.codes import BID, DAY_S
from experiments.drivers.events import EventsRun, run_events
from experiments.ledger import (
    FATE_OUTBID,
    FATE_TIMED_OUT,
    FATE_WON,
    RESULT_OUTBID,
    RESULT_TIMED_OUT,
    RESULT_WON,
    Ledger,
)
from experiments.scenario.loader import load
from experiments.setting import Setting, fresh_truth, make_ready

CASES = Path(__file__).parents[2] / "cases"
CONSTANT = {
    "request_delay": {"kind": "constant", "ms": 20},
    "response_delay": {"kind": "constant", "ms": 30},
    "notice_delay": {"kind": "constant", "ms": 700},
}
ROUGH = {
    "tmax_ms": 80,
    "request_delay": {"kind": "lognormal", "median_ms": 20, "sigma": 0.8},
    "response_delay": {"kind": "empirical", "values_ms": [5, 15, 15, 30, 90]},
    "notice_delay": {"kind": "lognormal", "median_ms": 20_000, "sigma": 1.5},
    "lost_notices": 0.1,
    "duplicated_notices": 0.2,
    "reservation_s": 40,
}
SLOW_NOTICES = {"notice_delay": {"kind": "constant", "ms": 90_000}, "reservation_s": 30}
WIRES = {"constant": CONSTANT, "rough": ROUGH, "slow-notices": SLOW_NOTICES}


def ready(case: str, wire: dict[str, Any], *overrides: str) -> Setting:
    """A case with another wire, half a day long."""
    scenario = load(CASES / f"{case}.yaml", overrides)
    wired = type(scenario.wire).model_validate(wire)
    return make_ready(scenario.model_copy(update={"wire": wired, "days": 0.5}))


def assert_within_budgets(book: Book, now_s: float) -> None:
    """What is spent and held fits the total, and today's part fits the day."""
    today_ix = int((now_s + book.index[START_OF_DAY_S]) // DAY_S)
    for c in range(len(book.campaigns)):
        assert committed_nanos(book.campaigns, c) <= book.campaigns["total_nanos"][c]
        assert committed_day_nanos(book.campaigns, c, today_ix) <= book.campaigns["daily_nanos"][c]


def assert_adds_up(run: EventsRun, ledger: Ledger, book: Book) -> None:
    """Requests, bids, money: the same whoever counts them."""
    tallies, counts = ledger.tallies, run.desk.counts
    fates = tallies.fates.sum(axis=0)
    assert fates.sum() == ledger.auctions == tallies.slots[:, 0].sum() == counts.requests
    np.testing.assert_array_equal(tallies.results.sum(axis=1), tallies.reasons[:, BID])
    assert tallies.results[:, RESULT_WON].sum() == fates[FATE_WON] == len(ledger.exposures)
    assert tallies.results[:, RESULT_OUTBID].sum() == fates[FATE_OUTBID]
    assert tallies.results[:, RESULT_TIMED_OUT].sum() <= fates[FATE_TIMED_OUT]
    billed = ledger.exposures[ledger.exposures["billed"] == 1]
    for c in range(len(book.campaigns)):
        own = billed[billed["campaign_ix"] == c]
        assert book.campaigns["wins"][c] == len(own)
        assert book.campaigns["spent_nanos"][c] == own["price_nanos"].sum()
    assert counts.wins == len(billed)
    assert counts.wins + counts.losses + counts.expired <= counts.bids + counts.late


def assert_nothing_in_flight(run: EventsRun, book: Book) -> None:
    """No money, no exposure and no reservation is held any more."""
    assert run.desk.in_flight() == 0
    assert not book.campaigns["reserved_nanos"].any()
    for start, count in zip(book.persons["start"], book.persons["count"], strict=True):
        assert np.isfinite(book.memory["time_s"][start : start + count]).all()


@pytest.mark.parametrize("wire", list(WIRES))
@pytest.mark.parametrize("case", ["parity-first-price", "parity-second-price", "parity-learned"])
@pytest.mark.slow
def test_budgets_and_sums_hold_at_every_step(case: str, wire: str) -> None:
    """Latency, loss and duplication never overspend, at no moment, and nothing is counted twice or not at all."""
    run = EventsRun(ready(case, WIRES[wire]))
    step = 0
    while run.env.peek() < float("inf"):
        run.env.step()
        step += 1
        if step % 20 == 0:
            assert_within_budgets(run.desk.book, run.env.now)
    ledger, book = run.end()
    assert len(ledger.exposures) > 100
    assert_within_budgets(book, run.env.now)
    assert_adds_up(run, ledger, book)
    assert_nothing_in_flight(run, book)
    if wire == "rough":
        assert run.desk.counts.expired > 0
        assert run.desk.counts.repeated > 0
        assert ledger.tallies.fates[:, FATE_TIMED_OUT].sum() > 0
    if wire == "slow-notices":
        assert run.desk.counts.late >= len(ledger.exposures)


def test_late_wins_are_refused_when_the_money_is_gone() -> None:
    """Reservations run out before their notices arrive, so the desk bids its money several times over and disputes."""
    run = EventsRun(
        ready("parity-first-price", {**SLOW_NOTICES, "reservation_s": 0.001}, "campaigns.tyres-wide.pacing=asap")
    )
    run.env.run()
    ledger, book = run.end()
    assert run.desk.counts.refused > 0
    assert (ledger.exposures["billed"] == 0).sum() == run.desk.counts.refused
    assert_within_budgets(book, run.env.now)
    assert_adds_up(run, ledger, book)


@pytest.mark.slow
@pytest.mark.parametrize("case", ["parity-first-price", "parity-second-price"])
def test_caps_hold_while_no_notice_is_lost(case: str) -> None:
    """Counted at the moment the bidder saw the request: the one it can act on."""
    setting = ready(case, CONSTANT)
    ledger, _ = run_events(setting)
    offset_s = setting.new_book().index[START_OF_DAY_S]
    capped = 0
    for c, plan in enumerate(setting.plans):
        own = ledger.exposures[(ledger.exposures["campaign_ix"] == c) & (ledger.exposures["consent"] == 1)]
        for person_ix in np.unique(own["person_ix"]):
            seen_s = np.sort(own["time_s"][own["person_ix"] == person_ix]) + 0.02
            for cap in plan.caps:
                capped += len(seen_s) >= cap.limit
                if cap.sliding:
                    # As many as the limit earlier, an exposure lies outside the window (to a nanosecond of rounding).
                    assert (seen_s[cap.limit :] - seen_s[: -cap.limit] >= cap.window_s - 1e-9).all()
                else:
                    _, counts = np.unique((seen_s + offset_s) // cap.window_s, return_counts=True)
                    assert counts.max() <= cap.limit
    assert capped > 20


@pytest.mark.slow
@pytest.mark.parametrize(
    ("request_ms", "response_ms", "in_time"),
    [(50, 50, True), (30, 70, True), (0, 100, True), (60, 40.5, False), (101, 0, False)],
)
def test_an_answer_is_late_only_after_tmax(request_ms: float, response_ms: float, in_time: bool) -> None:
    """Exactly `tmax` is in time; a late bid holds its money until it expires and never wins."""
    wire = {
        "tmax_ms": 100,
        "request_delay": {"kind": "constant", "ms": request_ms},
        "response_delay": {"kind": "constant", "ms": response_ms},
    }
    run = EventsRun(ready("parity-first-price", wire))
    run.env.run()
    ledger, book = run.end()
    timed_out = ledger.tallies.fates[:, FATE_TIMED_OUT].sum()
    assert_adds_up(run, ledger, book)
    assert run.desk.counts.bids > 100
    if in_time:
        assert timed_out == 0
        assert len(ledger.exposures) > 100
    else:
        assert timed_out == ledger.auctions
        assert run.desk.counts.expired == run.desk.counts.bids
        assert len(ledger.exposures) == book.campaigns["spent_nanos"].sum() == 0


@pytest.mark.slow
def test_duplicated_notices_change_nothing() -> None:
    """The same run with half of the notices doubled."""
    wire = {**ROUGH, "lost_notices": 0.0, "duplicated_notices": 0.0}
    setting = ready("parity-learned", wire)
    once = EventsRun(setting)
    once.env.run()
    twice = EventsRun(
        Setting(
            setting.scenario.model_copy(
                update={"wire": setting.scenario.wire.model_copy(update={"duplicated_notices": 0.5})}
            ),
            *(fresh_truth(setting).world, setting.plans, setting.directory, setting.audience),
        )
    )
    twice.env.run()
    assert twice.desk.counts.repeated > 100
    assert_same(once.end(), twice.end())


@pytest.mark.slow
def test_the_same_run_twice() -> None:
    """Random delays and accidents included."""
    setting = ready("parity-second-price", ROUGH)
    assert_same(run_events(setting), run_events(fresh_truth(setting)))


def assert_same(a: tuple[Ledger, Book], b: tuple[Ledger, Book]) -> None:
    """Ledgers and campaigns, number by number."""
    np.testing.assert_array_equal(a[0].exposures, b[0].exposures)
    np.testing.assert_array_equal(a[0].purchases, b[0].purchases)
    for x, y in zip(a[0].tallies, b[0].tallies, strict=True):
        np.testing.assert_array_equal(x, y)
    np.testing.assert_array_equal(a[1].campaigns, b[1].campaigns)


def test_lost_notices_leave_exposures_unbilled() -> None:
    """The ad was shown, the bidder never hears of it, and its reservation runs out."""
    run = EventsRun(ready("parity-first-price", {"lost_notices": 1.0}))
    run.env.run()
    ledger, book = run.end()
    assert len(ledger.exposures) > 100
    assert not ledger.exposures["billed"].any()
    assert not book.campaigns["spent_nanos"].any()
    assert run.desk.counts.expired == run.desk.counts.bids
    assert_nothing_in_flight(run, book)


def test_latency_shows_in_the_result() -> None:
    """A wire that does nothing would pass every test above."""
    setting = ready("parity-first-price", {})
    still, _ = run_events(setting)
    delayed, _ = run_events(ready("parity-first-price", SLOW_NOTICES))
    assert len(still.exposures) != len(delayed.exposures)
    assert still.auctions == delayed.auctions
