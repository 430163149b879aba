"""Views of pages: one person, one device, one moment and a request for each slot, whatever is drawn at once."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from exchange_sim.requests import RequestMaker
from exchange_sim.selling.views import Views
from exchange_sim.traffic import draw_opportunities, new_cursor
from exchange_sim.world import OPPORTUNITY
from experiments.compile.wire import slot_cards
from experiments.drivers.events import draw_arrivals
from experiments.scenario.loader import load
from experiments.setting import Setting, fresh_truth, make_ready
from tests.parity.test_parity import CASES


@pytest.fixture(scope="module")
def setting() -> Setting:
    """Pages of three slots, two and two, one slot alone; a filter of bots."""
    return make_ready(load(CASES / "parity-pages.yaml"))


def drawn(setting: Setting, most: int) -> np.ndarray:
    """Every opportunity of the first hours, so many at once."""
    world, cursor, opps, found = fresh_truth(setting).world, new_cursor(), np.zeros(500, OPPORTUNITY), []
    while n := draw_opportunities(world, opps, most, cursor, 43_000.0):
        found.append(opps[:n].copy())
    return np.concatenate(found)


def test_a_view_is_one_person_at_one_moment(setting: Setting) -> None:
    pages, opps = setting.world.pages.slots, drawn(setting, 500)
    views = opps["auction_ix"] - pages["position"][opps["slot_ix"]]
    assert len(opps) > 800
    for view in np.unique(views):
        seen = opps[views == view]
        size = int(pages["slots"][seen["slot_ix"][0]])
        assert len(seen) == max(1, size)
        assert pages["position"][seen["slot_ix"]].tolist() == list(range(max(1, size)))
        assert len(set(seen["key"].tolist())) == len(seen)
        for name in ("time_s", "person_ix", "cookie_ix", "device_ix", "place_ix", "consent"):
            assert len(set(seen[name].tolist())) == 1, name
    assert (np.diff(opps["time_s"]) >= 0.0).all()
    missing = opps["auction_ix"][-1] + 1 - len(opps)
    assert missing > 20  # the filter takes views as a whole


@pytest.mark.parametrize("most", [1, 2, 7])
def test_views_are_the_same_however_many_are_drawn_at_once(setting: Setting, most: int) -> None:
    whole, pieces = drawn(setting, 500), drawn(setting, most)
    for name in OPPORTUNITY.names or ():
        np.testing.assert_array_equal(whole[name], pieces[name], err_msg=name)


def test_requests_of_a_view_are_one_transaction(setting: Setting) -> None:
    """`source.tid` is the view's; slots of a pod say which pod and where; slots seen alone have neither."""
    cards = slot_cards(setting)
    maker = RequestMaker(
        *(setting.world, cards, setting.directory.places, setting.user_id), currency="EUR", tmax_ms=100.0
    )
    arrivals = draw_arrivals(fresh_truth(setting).world, new_cursor(), 43_000.0)
    arrivals.terms["slot_ix"], arrivals.terms["deal_ix"] = arrivals.slot_ix, -1
    pods = set()
    for i, slot_ix in enumerate(arrivals.slot_ix):
        request = maker.make(arrivals, i)
        assert request.source is not None
        position = cards[slot_ix].position
        assert request.source.tid == (None if position < 0 else str(arrivals.auction_ix[i] - position))
        assert request.source.schain is not None
        sent = msgspec.to_builtins(request)["imp"][0].get("video", {})
        pods.add((cards[slot_ix].tag_id, sent.get("podid"), sent.get("slotinpod")))
    assert ("anonymous-1/slot-1", "pod-1", 1) in pods
    assert ("anonymous-1/slot-2", "pod-1", -1) in pods
    assert {pod for tag, pod, _ in pods if not tag.startswith("anonymous")} == {None}


def test_views_are_kept_until_their_last_slot_is_sold(setting: Setting) -> None:
    """Two views of a page of three slots, sold in each other's midst; nothing stays behind."""
    pages = fresh_truth(setting).world.pages
    views = Views(pages)
    for mark, (slot_ix, auction_ix) in enumerate([(0, 30), (0, 40), (1, 31), (2, 42), (1, 41), (2, 32)], 1):
        views.take_up(slot_ix, auction_ix)
        if slot_ix == 0:
            pages.on_view[:] = 0
        pages.on_view[10 + slot_ix] = mark
        views.put_down(slot_ix, auction_ix)
        if (slot_ix, auction_ix) == (2, 42):
            assert pages.on_view[10:13].tolist() == [2, 0, 4]
    assert pages.on_view[10:13].tolist() == [1, 3, 6]
    assert len(views) == 0
    views.take_up(3, 50)
    views.put_down(3, 50)
    assert len(views) == 0
