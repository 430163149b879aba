"""Markup many times over: what of an ad never changes is written once, and the addresses of a bid are put in.

The writers of this package do the writing, with marks in place of addresses: what comes out is what they would write.
Texts longer than `LONGEST` are not kept.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from html import escape

import msgspec

from bidder.markup.banner import banner_html
from bidder.markup.links import Links
from bidder.markup.native import native_json
from bidder.markup.vast import vast_xml
from bidder.plan import CreativePlan
from openrtb.native import NativeRequest

REMEMBERED, LONGEST = 2048, 16384
"""Templates that are kept, and characters of the longest one."""
_TOKEN = secrets.token_hex(8)
"""Nobody's text holds it by chance or on purpose."""
_MARKS = Links(seen=f"seen{_TOKEN}", event=f"event{_TOKEN}", click=f"click{_TOKEN}")
_AD_ID = f"ad{_TOKEN}"
_HOLES = {_MARKS.seen: 0, _MARKS.event: 1, _MARKS.click: 2, _AD_ID: 3}
_MARK = re.compile(f"((?:seen|event|click|ad){_TOKEN})")
_ENCODE = msgspec.json.Encoder().encode


def _in_json(text: str) -> str:
    """The text as it stands between quotation marks."""
    return _ENCODE(text)[1:-1].decode()


class Template:
    """A text with holes; *in_place* writes an address as it must stand there."""

    def __init__(self, text: str, in_place: Callable[[str], str]) -> None:
        self._parts = _MARK.split(text)
        self._holes = [(at, _HOLES[part]) for at, part in enumerate(self._parts) if part in _HOLES]
        self._in_place = in_place

    def filled(self, links: Links, ad_id: str) -> str:
        """The text with addresses."""
        put, parts = self._in_place, self._parts.copy()
        values = put(links.seen), put(links.event), put(links.click), ad_id
        for at, hole in self._holes:
            parts[at] = values[hole]
        return "".join(parts)


class Press:
    """Writes the ads of creatives that live as long as it does: it knows them by their identity."""

    def __init__(self) -> None:
        self._templates: dict[object, Template] = {}

    def banner(self, creative: CreativePlan, width: int, height: int, links: Links) -> str:
        """`bidder.markup.banner.banner_html`."""
        if not _loud(links):
            return banner_html(creative, width, height, links)
        key = (id(creative), width, height)
        template = self._templates.get(key)
        if template is None:
            template = self._keep(key, banner_html(creative, width, height, _MARKS), escape)
        return template.filled(links, "")

    def vast(
        self,
        creative: CreativePlan,
        protocol: int,
        duration_s: int,
        size: tuple[int, int] | None,
        links: Links,
        ad_id: str,
    ) -> str:
        """`bidder.markup.vast.vast_xml`, for an *ad_id* that needs no escaping."""
        if not _loud(links):
            return vast_xml(creative, protocol, duration_s, size, links, ad_id)
        key = (id(creative), protocol, duration_s, size)
        template = self._templates.get(key)
        if template is None:
            text = vast_xml(creative, protocol, duration_s, size, _MARKS, _AD_ID)
            template = self._keep(key, text, escape)
        return template.filled(links, ad_id)

    def native(self, creative: CreativePlan, asked: NativeRequest, text: str, links: Links) -> str:
        """`bidder.markup.native.native_json`; *text* is what *asked* was read from."""
        if not _loud(links):
            return native_json(creative, asked, links)
        key = (id(creative), text)
        template = self._templates.get(key)
        if template is None:
            template = self._keep(key, native_json(creative, asked, _MARKS), _in_json, len(text))
        return template.filled(links, "")

    def _keep(self, key: object, text: str, in_place: Callable[[str], str], besides: int = 0) -> Template:
        template = Template(text, in_place)
        if len(text) + besides <= LONGEST:
            if len(self._templates) >= REMEMBERED:
                self._templates.clear()
            self._templates[key] = template
        return template


def _loud(links: Links) -> bool:
    """Whether there is an address for every hole."""
    return bool(links.seen and links.event and links.click)
