"""What our ads look like: HTML, VAST and native JSON read back by other parsers, whatever the texts hold."""

from __future__ import annotations

import json
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bidder.creatives import KINDS, made_up
from bidder.markup.banner import banner_html, drawn_image
from bidder.markup.links import SILENT, Links
from bidder.markup.native import answerable, cut, native_json
from bidder.markup.vast import EVENTS, VERSIONS, clock, protocol_of, vast_xml
from bidder.plan import CreativePlan
from openrtb.messages import Imp, Native
from openrtb.native import NativeRequest, decode_native
from tests.bidder.test_desk import plan

LINKS = Links("n", "b", "l", "https://x.example/seen?a=1&b=2", "https://x.example/e/", "https://x.example/c?a=1&b=2")
MADE = dict(zip(KINDS, made_up(plan()), strict=True))
TEXTS = st.text(st.characters(exclude_categories=("Cc", "Cs"), exclude_characters="\ufffe\uffff"), min_size=1)
URL = "https://x.example/?a=1&b='2'"


class Tags(HTMLParser):
    """Start tags with their attributes, and the text between."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def worded(kind: str, text: str) -> CreativePlan:
    """An ad all of whose texts are *text*."""
    return replace(MADE[kind], brand=text, title=text, text=text, call=text, click_url=URL)


@given(TEXTS, st.integers(1, 2000), st.integers(1, 2000))
def test_a_banner_says_what_it_was_given_and_no_more(text: str, width: int, height: int) -> None:
    page = Tags(banner_html(worded("banner", text), width, height, LINKS))
    assert [tag for tag, _ in page.tags if tag in ("a", "img")] == ["a", "img"]
    link, pixel = page.tags[0][1], page.tags[-1][1]
    assert (link["href"], link["ping"], pixel["src"]) == (URL, LINKS.click, LINKS.seen)
    assert f"width:{width}px;height:{height}px" in (link["style"] or "")
    assert "".join(page.text).startswith(text)


def test_a_banner_with_an_image_and_one_that_calls_nobody() -> None:
    pictured = replace(MADE["banner"], image_url=URL, title='"<x>"')
    page = Tags(banner_html(pictured, 300, 250, SILENT))
    assert [tag for tag, _ in page.tags] == ["a", "img"]
    assert "ping" not in page.tags[0][1]
    assert page.tags[1][1] | {"style": ""} == {"src": URL, "width": "300", "height": "250", "alt": '"<x>"', "style": ""}


@given(TEXTS, st.sampled_from(sorted(VERSIONS)), st.booleans())
def test_vast_is_xml_that_says_what_it_was_given(text: str, protocol: int, audio: bool) -> None:
    creative = worded("audio" if audio else "video", text)
    root = ElementTree.fromstring(vast_xml(creative, protocol, 30, None if audio else (640, 360), LINKS, "7"))
    assert root.attrib == {"version": VERSIONS[protocol]}
    (inline,) = root.findall("Ad/InLine")
    assert inline.findtext("AdTitle") == text
    assert inline.findtext("Impression") == LINKS.seen
    assert (inline.findtext("Advertiser") == text) == (protocol != 2)
    assert (inline.findtext("AdServingId") == "7") == (protocol in (11, 13))
    (linear,) = inline.findall("Creatives/Creative/Linear")
    assert linear.findtext("Duration") == "00:00:30"
    assert [(call.get("event"), call.text) for call in linear.findall("TrackingEvents/Tracking")] == [
        (name, LINKS.event + name) for name in EVENTS
    ]
    assert linear.findtext("VideoClicks/ClickThrough") == URL
    assert linear.findtext("VideoClicks/ClickTracking") == LINKS.click
    (file,) = linear.findall("MediaFiles/MediaFile")
    assert file.text == creative.media_url
    assert (file.get("type"), file.get("width")) == ((("audio/mpeg", "0")) if audio else ("video/mp4", "640"))
    universal = inline.find("Creatives/Creative/UniversalAdId")
    assert (universal is None) == (protocol in (2, 3))


def test_a_trial_s_vast_calls_nobody() -> None:
    root = ElementTree.fromstring(vast_xml(MADE["video"], 13, 15, (1, 1), SILENT, "7"))
    assert root.findall(".//Tracking") == root.findall(".//ClickTracking") == []
    assert root.findtext(".//Impression") in (None, "")


def test_protocols_and_clocks() -> None:
    assert [protocol_of(known) for known in (None, [], [2, 3], [2, 7, 13], [1, 4, 9], [3, 99])] == [
        *(13, 13, 3, 13, None, 3)
    ]
    assert [clock(s) for s in (0, 15, 90, 3661)] == ["00:00:00", "00:00:15", "00:01:30", "01:01:01"]


def native(*assets: dict[str, Any], **rest: Any) -> NativeRequest:
    """A native request of these assets."""
    return decode_native(Imp("1", native=Native(json.dumps({"assets": assets, **rest}))), 0)


def test_a_native_ad_answers_asset_by_asset() -> None:
    asked = native(
        {"id": 4, "required": 1, "title": {"len": 8}},
        {"id": 2, "img": {"type": 1, "w": 50, "h": 40}},
        {"id": 9, "img": {"type": 3, "wmin": 600, "hmin": 300}},
        {"id": 5, "data": {"type": 1}},
        {"id": 6, "data": {"type": 11, "len": 6}},
        {"id": 7, "data": {"type": 3}},  # a rating, which we have not
        ver="1.2",
        eventtrackers=[{"event": 1, "methods": [2, 1]}],
    )
    creative = replace(MADE["native"], title="Pans and more", image_url=URL)
    ad = json.loads(native_json(creative, asked, LINKS))
    assert ad["assets"] == [
        {"id": 4, "title": {"text": "Pans…"}},
        {"id": 2, "img": {"url": URL, "w": 50, "h": 40, "type": 1}},
        {"id": 9, "img": {"url": URL, "w": 600, "h": 300, "type": 3}},
        {"id": 5, "data": {"type": 1, "value": "Pans"}},
        {"id": 6, "data": {"type": 11, "value": "pans.…"}},
    ]
    assert ad["link"] == {"url": "https://pans.example/", "clicktrackers": [LINKS.click]}
    assert ad["eventtrackers"] == [{"event": 1, "method": 1, "url": LINKS.seen}]


def test_old_sellers_get_old_answers() -> None:
    ad = json.loads(native_json(MADE["native"], native({"title": {"len": 90}}, ver="1.0"), LINKS))
    assert ad["native"]["assets"] == [{"id": 0, "title": {"text": "Pans"}}]
    assert ad["native"]["imptrackers"] == [LINKS.seen]


@pytest.mark.parametrize(
    ("asset", "answered"),
    [
        ({"id": 1, "required": 1, "data": {"type": 3}}, False),
        ({"id": 1, "required": 0, "data": {"type": 3}}, True),
        ({"id": 1, "required": 1, "data": {"type": 12}}, True),
        (
            {"id": 1, "required": 1, "video": {"mimes": ["a/b"], "minduration": 1, "maxduration": 9, "protocols": [2]}},
            False,
        ),
    ],
)
def test_what_is_required_and_missing_is_no_ad(asset: dict[str, Any], answered: bool) -> None:
    assert answerable(native(asset)) == answered


@given(st.text(), st.integers(0, 40))
def test_texts_are_cut_to_length(text: str, longest: int) -> None:
    short = cut(text, longest)
    assert len(short) <= longest
    assert short == text or len(text) > longest


@given(TEXTS, st.integers(1, 2000), st.integers(1, 2000))
def test_a_drawn_image_is_a_picture_of_that_size(text: str, width: int, height: int) -> None:
    from urllib.parse import unquote

    uri = drawn_image(text, width, height)
    picture = ElementTree.fromstring(unquote(uri.removeprefix("data:image/svg+xml,")))
    assert (picture.get("width"), picture.get("height")) == (str(width), str(height))
    assert "".join(picture.itertext()) == text
