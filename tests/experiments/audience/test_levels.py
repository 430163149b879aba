"""The same campaign counted by cookie, person and household; data costs; the two drivers on the same audience."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bidder.plan import CapPlan
from experiments.accounting.tables import account
from experiments.audience.exposed import _breaks, exposed
from experiments.drivers.batch import run_batch
from experiments.drivers.events import run_events
from experiments.results.conservation import identities
from experiments.results.tables import build_tables
from experiments.scenario.models import Scenario
from experiments.setting import fresh_truth, make_ready
from tests.experiments.audience.four import SITE, VENDOR, market
from tests.parity.test_parity import assert_equal_books, assert_equal_ledgers

CRM = {"channel": "crm_file", "identifiers": ["email", "address"]}


def at(level: str, **more: object) -> Scenario:
    """A market whose sources know everybody and everything."""
    audience = {"level": level, "segments_by": "person"} | more
    return market({"site": SITE, "crm": CRM}, audience=audience)


def test_a_cap_holds_for_what_it_counts_and_only_for_that() -> None:
    over, reach, counted = {}, {}, {}
    for level in ("cookie", "person", "household"):
        setting = make_ready(at(level))
        ledger, _ = run_batch(setting)
        rows, seen = ledger.exposures, exposed(setting, ledger)
        over[level] = int(seen.over_cap.sum())
        reach[level], counted[level] = len(np.unique(rows["person_ix"])), len(np.unique(seen.buyer_ix))
        assert np.bincount(seen.buyer_ix).max() == 2
        owner = np.repeat(np.arange(2000), np.diff(setting.world.cookies))
        runner = (setting.world.interests & np.uint64(1)) == 1
        if level == "household":
            runner = np.isin(setting.world.heads, setting.world.heads[runner])
        assert runner[rows["person_ix"]].all()
        units = {
            "cookie": np.arange(len(owner)),
            "person": owner,
            "household": setting.world.heads[owner],
        }[level]
        # The same partition of the cookies, whatever the numbers.
        pairs = np.unique(np.stack([setting.units, units]), axis=1)
        assert pairs.shape[1] == len(np.unique(units)) == len(np.unique(setting.units))
    assert over["person"] == over["household"] == 0
    assert over["cookie"] > 100
    assert counted["cookie"] > 1.5 * reach["cookie"]
    assert counted["person"] == reach["person"]
    assert counted["household"] < reach["household"]


def test_without_merging_a_segment_knows_one_cookie_of_a_person() -> None:
    by_person = make_ready(at("cookie")).audience
    by_cookie = make_ready(at("cookie", segments_by="cookie")).audience
    sizes = [int((audience.rows[:, 0] & np.uint64(1)).sum()) for audience in (by_person, by_cookie)]
    assert sizes[1] == pytest.approx(0.2 * 2000, rel=0.15)
    assert sizes[0] == pytest.approx(3 * sizes[1], rel=0.15)


def test_data_are_paid_when_they_choose_the_viewer_and_everything_adds_up() -> None:
    vendor = {**VENDOR, "cost_cpm": 0.4, "people": 0.6}
    rules = {
        "runners": {"rule": {"tag": "site:running"}},
        "bought": {"rule": {"all": [{"tag": "vendor:running"}, {"not": {"segment": "runners"}}]}},
        "everybody-else": {"rule": {"not": {"source": "vendor"}}},
    }
    campaign = at("person").campaigns["c"].model_dump()
    wanted = {
        "own": {"any": ["runners"]},
        "either": {"any": ["runners", "bought"]},
        "without": {"any": ["runners"], "none": ["everybody-else"]},
    }
    campaigns = {
        name: {**campaign, "target": {"segments": rule}, "caps": [{"limit": 1, "per": "1d"}]}
        for name, rule in wanted.items()
    }
    site = {**SITE, "interests": {"running": {"recall": 0.5}}}
    scenario = market({"site": site, "vendor": vendor}, segments=rules, campaigns=campaigns)
    setting = make_ready(scenario)
    ledger, book = run_batch(setting)
    tables = build_tables(account(setting, ledger, book))
    assert all(kept for _, kept in identities(tables)), identities(tables)
    seen = exposed(setting, ledger)
    held = setting.audience.rows[seen.buyer_ix, 0]
    by = ledger.exposures["campaign_ix"]
    bought = (held >> np.uint64(1)) & np.uint64(1) == 1
    paid = np.where(by == 0, False, np.where(by == 1, bought, True))
    assert (seen.data_nanos == np.where(paid, 400_000, 0)).all()
    assert 0 < bought[by == 1].sum() < (by == 1).sum()
    rows = {row["campaign_id"]: row for row in tables["campaigns"].to_pylist()}
    assert rows["own"]["data_nanos"] == 0
    assert rows["without"]["data_nanos"] == rows["without"]["impressions"] * 400_000 > 0
    for row in rows.values():
        costs = row["spend_nanos"] + row["data_nanos"]
        assert row["truth_romi"] == pytest.approx((row["truth_value_nanos"] * row["margin"] - costs) / costs)


@pytest.mark.parametrize("level", ["cookie", "household"])
def test_both_drivers_meet_the_same_cookies(level: str) -> None:
    vendor = {**VENDOR, "match_rate": 0.7}
    people = {"count": 300, "consent_share": 0.7}
    scenario = market(
        {"site": {**SITE, "match_rate": 0.5}, "crm": CRM, "vendor": vendor}, people=people, audience={"level": level}
    )
    setting = make_ready(scenario.model_copy(update={"days": 0.1}))
    batch, batch_book = run_batch(setting)
    events, events_book = run_events(fresh_truth(setting))
    assert len(batch.exposures) > 30
    assert (batch.purchases["attributed_ix"] >= 0).any()
    assert_equal_ledgers(batch, events)
    assert_equal_books(batch_book, events_book, setting.end_s)


def test_somebody_without_consent_is_nobody() -> None:
    setting = make_ready(market({"site": SITE}, people={"consent_share": 0.4}))
    owner = np.repeat(np.arange(2000), np.diff(setting.world.cookies))
    refused = setting.world.homes["consent"][owner] == 0
    assert (setting.units[refused] == 0).all()
    assert (setting.units[~refused] > 0).all()
    assert not setting.audience.rows[0].any()
    strangers = [setting.audience.row_ix(setting.user_id(int(c))) for c in np.flatnonzero(refused)[:50]]
    assert set(strangers) == {-1}
    for c in np.flatnonzero(~refused)[:50].tolist():
        assert setting.audience.row_ix(setting.user_id(c)) == setting.units[c]
    assert setting.audience.row_ix(None) == setting.audience.row_ix("somebody") == -1


@given(data=st.data(), limit=st.integers(1, 3), sliding=st.booleans(), offset_s=st.integers(0, 5))
def test_caps_broken_are_those_a_plain_count_finds(
    data: st.DataObject, limit: int, sliding: bool, offset_s: int
) -> None:
    shown = sorted(data.draw(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 30)), max_size=25)))
    person, time_s = (np.array([row[k] for row in shown], np.int64) for k in (0, 1))
    expected = []
    for n, (who, when) in enumerate(shown):
        earlier = [t for p, t in shown[:n] if p == who]
        inside = [t for t in earlier if (t > when - 6 if sliding else (t + offset_s) // 6 == (when + offset_s) // 6)]
        expected.append(len(inside) >= limit)
    assert _breaks(CapPlan(limit, 6.0, sliding), person, time_s.astype(float), offset_s).tolist() == expected
