"""Pages with several slots: the example worked by hand, brute force over all pages, separation, ties by rule."""

from __future__ import annotations

from collections import Counter
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange_sim.selling.pages import Ad, gsp, kept_apart, rank, vcg

THREE = [Ad("a", 10_000), Ad("b", 4_000), Ad("c", 2_000)]


def test_three_advertisers_and_two_slots_by_hand() -> None:
    """Bids 10, 4, 2 a click; 200 and 100 clicks (Edelman, Ostrovsky, Schwarz 2007).

    GSP: a pays 4 a click (800 in all), b pays 2 (200). VCG: without a the others would have 4 * 200 + 2 * 100 = 1000,
    beside it they have 4 * 100 = 400: a pays 600, 3 a click; without b they would have 10 * 200 + 2 * 100, with it
    10 * 200: b pays 200, 2 a click.
    """
    assert gsp(THREE, [200, 100]) == [(0, "a", 4_000), (1, "b", 2_000)]
    assert vcg(THREE, [200, 100]) == [(0, "a", 3_000), (1, "b", 2_000)]


def test_a_reserve_is_the_least_anybody_pays() -> None:
    assert gsp(THREE, [200, 100], 3_000) == [(0, "a", 4_000), (1, "b", 3_000)]
    assert vcg(THREE, [200, 100], 4_001) == [(0, "a", 4_001)]
    assert gsp([], [1.0]) == vcg([], [1.0]) == []


def test_rivals_are_kept_apart() -> None:
    """b competes with a: c stands beside a instead, and b's bid is what a pays in either rule."""
    ads = [Ad("a", 10_000, "cars"), Ad("b", 4_000, "cars"), Ad("c", 2_000)]
    assert gsp(ads, [200, 100]) == [(0, "a", 4_000), (1, "c", 0)]
    # without a: b and c, 4 * 200 + 2 * 100 = 1000; beside it c has 2 * 100 = 200: a pays 800, 4 a click
    assert vcg(ads, [200, 100]) == [(0, "a", 4_000), (1, "c", 0)]


ads_strategy = st.lists(
    st.tuples(st.integers(0, 6), st.sampled_from(["", "", "cars", "food"])), min_size=0, max_size=5
).map(lambda rows: [Ad(f"ad{k}", bid * 1000, category) for k, (bid, category) in enumerate(rows)])


def allowed(page: tuple[Ad, ...]) -> bool:
    return all(count == 1 for category, count in Counter(ad.category for ad in page).items() if category)


def best_worth(ads: list[Ad], clicks: list[int]) -> int:
    """The best page by trying all of them."""
    pages = (page for n in range(len(clicks) + 1) for page in permutations(ads, n) if allowed(page))
    return max(sum(ad.bid_nanos * rate for ad, rate in zip(page, clicks, strict=False)) for page in pages)


@given(ads=ads_strategy, clicks=st.sampled_from([[4], [5, 3], [8, 4, 2]]))
def test_vcg_is_the_best_page_and_the_harm_done_to_others(ads: list[Ad], clicks: list[int]) -> None:
    placed = vcg(ads, clicks)
    bid = {ad.advertiser: ad.bid_nanos for ad in ads}
    worth = sum(bid[p.advertiser] * clicks[p.slot] for p in placed)
    assert worth == best_worth(ads, clicks)
    for p in placed:
        others = [ad for ad in ads if ad.advertiser != p.advertiser]
        harm = best_worth(others, clicks) - (worth - bid[p.advertiser] * clicks[p.slot])
        assert p.per_click_nanos == harm // clicks[p.slot]
        assert p.per_click_nanos <= bid[p.advertiser]


@given(ads=ads_strategy, clicks=st.sampled_from([[4], [5, 3], [8, 4, 2]]))
def test_gsp_costs_at_least_as_much_and_never_more_than_the_bid(ads: list[Ad], clicks: list[int]) -> None:
    by_gsp, by_vcg = gsp(ads, clicks), vcg(ads, clicks)
    bid = {ad.advertiser: ad.bid_nanos for ad in ads}
    assert [p.advertiser for p in by_gsp] == [p.advertiser for p in by_vcg]
    for second, externality in zip(by_gsp, by_vcg, strict=True):
        assert externality.per_click_nanos <= second.per_click_nanos <= bid[second.advertiser]


@given(ads=ads_strategy)
def test_no_page_shows_two_of_a_kind(ads: list[Ad]) -> None:
    category = {ad.advertiser: ad.category for ad in ads}
    for placed in (gsp(ads, [5, 3, 1]), vcg(ads, [5, 3, 1])):
        shown = [category[p.advertiser] for p in placed if category[p.advertiser]]
        assert len(shown) == len(set(shown))
    assert allowed(tuple(kept_apart(rank(ads))))


def test_ties_are_broken_by_rule() -> None:
    ads = [Ad("a", 5), Ad("b", 5)]
    assert [p.advertiser for p in gsp(ads, [2, 1])] == ["a", "b"]
    assert [p.advertiser for p in gsp(ads, [2, 1], tie="last")] == ["b", "a"]
    first = Counter(gsp(ads, [2, 1], tie="coin", page=str(k))[0].advertiser for k in range(2000))
    assert abs(first["a"] - 1000) < 4 * (2000 * 0.25) ** 0.5
    assert gsp(ads, [2, 1], tie="coin", page="p") == gsp(ads[::-1], [2, 1], tie="coin", page="p")


def test_slots_must_be_ordered() -> None:
    with pytest.raises(ValueError, match="most clicked"):
        gsp(THREE, [1, 2])
