"""Creatives in a scenario: what is left unsaid, what is refused, and that both drivers buy the same with them."""

from __future__ import annotations

import pytest

from bidder.plan import CreativePlan
from experiments.compile.buyer import compile_plans
from experiments.drivers.batch import run_batch
from experiments.drivers.events import run_events
from experiments.errors import ScenarioError
from experiments.scenario.loader import dump_yaml, load, load_text
from experiments.setting import fresh_truth, make_ready
from tests.oracles.worlds import scenario_of

CLICK = "https://shop.example/shoes?from=ad&x='1'"
CAMPAIGN = {"budget": {"total": 1.0}, "goal": {"kind": "cpm", "value": 1.0}}
KINDS = {"display": "banner", "mobile": "banner", "video": "video", "native": "native", "audio": "audio"}
EVERY_FORMAT = {
    "paper": {"slots": {name: {"format": name, "width": 300 + 20 * k} for k, name in enumerate(KINDS)}},
}
ADS = {
    "wide": {"kind": "banner", "width": 300, "height": 250, "click": CLICK},
    "wider": {"kind": "banner", "width": 320, "height": 250, "click": CLICK},
    "film": {"kind": "video", "click": CLICK, "duration_s": 20, "width": 1280, "height": 720},
    "words": {"kind": "native", "click": CLICK},
    "jingle": {"kind": "audio", "click": CLICK},
}


def test_what_is_left_unsaid() -> None:
    ads = {"film": {"kind": "video", "click": CLICK, "mime": "video/webm"}, "box": {"kind": "banner", "click": CLICK}}
    scenario = scenario_of(campaigns={"c": {**CAMPAIGN, "target": {"formats": ["display"]}, "creatives": ads}})
    film, box = compile_plans(scenario)[0].creatives
    assert film == CreativePlan(
        "c/film",
        "video",
        "c",
        CLICK,
        ("shop.example",),
        title="c",
        media_url="https://shop.example/film.webm",
        mime="video/webm",
    )
    assert (box.size, box.mime, box.media_url, box.secure) == (None, "", None, True)
    assert load_text(dump_yaml(scenario), "dumped") == scenario


@pytest.mark.parametrize(
    ("ad", "message"),
    [
        ("{kind: banner}", "click: is missing"),
        ("{kind: baner, click: 'https://x.example/'}", "did you mean banner?"),
        ("{kind: banner, click: 'ftp://x.example/'}", "click: 'ftp://x.example/' is not an address"),
        ("{kind: banner, click: 'https://x.example/', width: 300}", "give both width and height"),
        ("{kind: native, click: 'https://x.example/', width: 300, height: 250}", "no size of its own"),
        ("{kind: banner, click: 'https://x.example/', duration_s: 5}", "duration_s is for video and audio"),
        ("{kind: audio, click: 'https://x.example/', image: 'https://x.example/a.png'}", "image is for banners"),
        ("{kind: audio, click: 'https://x.example/', mime: video/mp4}", "mime video/mp4 is not audio"),
        ("{kind: video, click: 'https://x.example/', title: \"a\\nb\"}", "write one line of text"),
        ("{kind: video, click: 'https://x.example/'}", "none fits daily-news/top-banner (display, 728x90)"),
        ("{kind: banner, click: 'https://x.example/', width: 728, height: 90}", "none fits daily-news/sidebar"),
        ("{kind: banner, click: 'https://x.example/', image: 'http://x.example/a.png'}", "none fits daily-news/"),
    ],
)
def test_a_mistake_names_place_and_remedy(ad: str, message: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        load("retail-launch", [f"campaigns.shoe-burst.creatives={{main: {ad}}}"])
    assert "campaigns.shoe-burst.creatives" in str(caught.value)
    assert message in str(caught.value)


def test_both_drivers_buy_the_same_with_creatives_of_every_format() -> None:
    campaigns = {"own": {**CAMPAIGN, "creatives": ADS}, "made-up": CAMPAIGN}
    scenario = scenario_of(publishers=EVERY_FORMAT, campaigns=campaigns)
    setting = make_ready(scenario)
    batch, book = run_batch(setting)
    events, events_book = run_events(fresh_truth(setting))
    assert (events.auctions, len(events.exposures)) == (batch.auctions, len(batch.exposures))
    assert (events_book.campaigns["wins"] == book.campaigns["wins"]).all()
    assert (book.campaigns["wins"] > 0).all()
    formats = {int(setting.world.slots["format_ix"][s]) for s in batch.exposures["slot_ix"]}
    assert formats == set(range(len(KINDS)))
