"""Video and audio as VAST InLine XML, versions 2.0 to 4.2 (IAB Tech Lab): one linear ad, one file, all its trackers.

Durations in s, sizes in pixels. Audio is VAST too, as version 4.1 has it; DAAST is not written.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple
from xml.sax.saxutils import escape, quoteattr

from bidder.markup.links import Links
from bidder.plan import CreativePlan

VERSIONS = {13: "4.2", 11: "4.1", 7: "4.0", 3: "3.0", 2: "2.0"}
"""Protocol code of AdCOM 1.0 and the version it stands for, the best one first."""
EVENTS = ("start", "firstQuartile", "midpoint", "thirdQuartile", "complete")
BITRATE = {"video": 1200, "audio": 128}
"""Of the file when nobody says more (kbit/s)."""


def protocol_of(protocols: Sequence[int] | None) -> int | None:
    """The best protocol both sides speak; without a list of theirs, the newest; None: none."""
    if not protocols:
        return 13
    return next((code for code in VERSIONS if code in protocols), None)


def vast_xml(
    creative: CreativePlan, protocol: int, duration_s: int, size: tuple[int, int] | None, links: Links, ad_id: str
) -> str:
    """The document; *size* None: audio. *ad_id* names this serving of the ad."""
    version = VERSIONS[protocol]
    inline = _inline_4 if version >= "4" else _inline_2
    kind = ' adType="audio"' if size is None and version >= "4.1" else ""
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><VAST version="{version}">'
        f"<Ad id={quoteattr(ad_id)}{kind}><InLine>"
        f"{inline(creative, version, _parts(creative, duration_s, size, links, ad_id))}"
        "</InLine></Ad></VAST>"
    )


class _Parts(NamedTuple):
    """Elements that all versions have; their schemas want them in different orders."""

    title: str
    seen: str
    advertiser: str
    serving: str
    duration: str
    events: str
    through: str
    tracking: str
    files: str


def _parts(creative: CreativePlan, duration_s: int, size: tuple[int, int] | None, links: Links, ad_id: str) -> _Parts:
    return _Parts(
        title=f"<AdTitle>{escape(creative.title or creative.brand)}</AdTitle>",
        seen=f"<Impression>{escape(links.seen)}</Impression>",
        advertiser=f"<Advertiser>{escape(creative.brand)}</Advertiser>",
        serving=f"<AdServingId>{escape(ad_id)}</AdServingId>",
        duration=f"<Duration>{clock(duration_s)}</Duration>",
        events=_trackers(links),
        through=f"<ClickThrough>{escape(creative.click_url)}</ClickThrough>",
        tracking=f"<ClickTracking>{escape(links.click)}</ClickTracking>" if links.click else "",
        files=f"<MediaFiles>{_file(creative, size)}</MediaFiles>",
    )


def _inline_2(creative: CreativePlan, version: str, parts: _Parts) -> str:
    """Versions 2.0 and 3.0."""
    return (
        f"<AdSystem>bidlab</AdSystem>{parts.title}{parts.advertiser if version >= '3' else ''}{parts.seen}"
        f"<Creatives><Creative id={quoteattr(creative.creative_id)}><Linear>{parts.duration}{parts.events}"
        f"<VideoClicks>{parts.through}{parts.tracking}</VideoClicks>{parts.files}</Linear></Creative></Creatives>"
    )


def _inline_4(creative: CreativePlan, version: str, parts: _Parts) -> str:
    """Versions from 4.0 on."""
    value = f" idValue={quoteattr(creative.creative_id)}" if version == "4.0" else ""
    universal = f'<UniversalAdId idRegistry="unknown"{value}>{escape(creative.creative_id)}</UniversalAdId>'
    return (
        f"<AdSystem>bidlab</AdSystem>{parts.seen}{parts.serving if version >= '4.1' else ''}{parts.title}"
        f"{parts.advertiser}<Creatives><Creative id={quoteattr(creative.creative_id)}><Linear>{parts.events}"
        f"{parts.duration}{parts.files}<VideoClicks>{parts.tracking}{parts.through}</VideoClicks></Linear>"
        f"{universal}</Creative></Creatives>"
    )


def clock(seconds: int) -> str:
    """A duration as VAST writes it: 90 is 00:01:30."""
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def _trackers(links: Links) -> str:
    if not links.event:
        return ""
    calls = "".join(f'<Tracking event="{name}">{escape(links.event + name)}</Tracking>' for name in EVENTS)
    return f"<TrackingEvents>{calls}</TrackingEvents>"


def _file(creative: CreativePlan, size: tuple[int, int] | None) -> str:
    # Players ask for both numbers even where there is nothing to see.
    width, height = size or (0, 0)
    return (
        f'<MediaFile delivery="progressive" type={quoteattr(creative.mime)} bitrate="{BITRATE[creative.kind]}" '
        f'width="{width}" height="{height}">{escape(creative.media_url or "")}</MediaFile>'
    )
