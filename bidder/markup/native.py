"""Native ads as OpenRTB Native 1.2 JSON: an answer to each asset the seller asked for. Sizes in pixels.

Texts are cut to the length asked for; images are the creative's, or drawn. Assets we have nothing for are left out when
they are optional; when one is required there is no ad.
"""

from __future__ import annotations

from typing import Any

import msgspec

from bidder.markup.banner import drawn_image
from bidder.markup.links import Links
from bidder.plan import CreativePlan
from openrtb.native import Asset, Image, NativeRequest

ICON, MAIN = 1, 3
"""Types of image."""
SPONSORED, DESCRIPTION, DISPLAY_URL, CALL = 1, 2, 11, 12
"""Types of data we have an answer for."""
IMPRESSION, BY_IMAGE = 1, 1
"""Event and method of the one tracker we use."""
USUAL = {ICON: (80, 80), MAIN: (1200, 627)}
"""Sizes of images nobody asks anything of."""
LARGEST = 10_000
_ENCODE = msgspec.json.Encoder().encode


def answerable(asked: NativeRequest) -> bool:
    """Whether we have something for every asset that is required."""
    return all(asset.required != 1 or _can(asset) for asset in asked.assets)


def native_json(creative: CreativePlan, asked: NativeRequest, links: Links) -> str:
    """The ad as JSON; `answerable` says beforehand whether it is complete."""
    link: dict[str, Any] = {"url": creative.click_url}
    if links.click:
        link["clicktrackers"] = [links.click]
    ad: dict[str, Any] = {"ver": "1.2", "link": link}
    ad["assets"] = [
        {"id": k if asset.id is None else asset.id, **_answer(creative, asset)}
        for k, asset in enumerate(asked.assets)
        if _can(asset)
    ]
    if links.seen:
        if any(tracker.event == IMPRESSION and BY_IMAGE in tracker.methods for tracker in asked.eventtrackers):
            ad["eventtrackers"] = [{"event": IMPRESSION, "method": BY_IMAGE, "url": links.seen}]
        else:
            ad["imptrackers"] = [links.seen]
    if asked.ver is not None and asked.ver.startswith("1.0"):  # that version put everything under one name
        ad = {"native": {**ad, "ver": 1}}
    return _ENCODE(ad).decode()


def _can(asset: Asset) -> bool:
    if asset.data is not None:
        return asset.data.type in (SPONSORED, DESCRIPTION, DISPLAY_URL, CALL)
    return asset.title is not None or asset.img is not None


def _answer(creative: CreativePlan, asset: Asset) -> dict[str, Any]:
    if asset.title is not None:
        return {"title": {"text": cut(creative.title or creative.brand, asset.title.len)}}
    if asset.img is not None:
        width, height = _size(asset.img)
        url = creative.image_url or drawn_image(creative.brand, width, height)
        kind = {} if asset.img.type is None else {"type": asset.img.type}
        return {"img": {"url": url, "w": width, "h": height, **kind}}
    assert asset.data is not None
    texts = {
        SPONSORED: creative.brand,
        DESCRIPTION: creative.text or creative.title or creative.brand,
        DISPLAY_URL: creative.domains[0] if creative.domains else creative.click_url,
        CALL: creative.call,
    }
    value, longest = texts[asset.data.type], asset.data.len
    return {"data": {"type": asset.data.type, "value": value if not longest else cut(value, longest)}}


def _size(image: Image) -> tuple[int, int]:
    """Exactly what is asked for, or the least, or what is usual for its type."""
    usual = USUAL.get(image.type or MAIN, USUAL[MAIN])
    width, height = image.w or image.wmin or usual[0], image.h or image.hmin or usual[1]
    return max(1, min(width, LARGEST)), max(1, min(height, LARGEST))


def cut(text: str, longest: int) -> str:
    """At most *longest* characters, at the end of a word where there is one."""
    if len(text) <= longest:
        return text
    if longest < 2:
        return text[: max(0, longest)]
    head = text[: longest - 1]
    words = head.rsplit(" ", 1)[0] if text[longest - 1] != " " else head
    return (words if len(words) >= longest // 2 else head).rstrip() + "…"
