"""Banners as HTML: a box of the size asked for, with the advertiser's words or image, that leads to its page."""

from __future__ import annotations

from functools import lru_cache
from html import escape
from urllib.parse import quote

from bidder.markup.links import Links
from bidder.plan import CreativePlan

_COLOURS = ("#0b5cad", "#0a7d57", "#8a4b08", "#7a2e63", "#2f4858", "#a3341f")
_BOX = (
    '<a href="{href}" target="_blank" rel="noopener" style="display:block;box-sizing:border-box;overflow:hidden;'
    "width:{w}px;height:{h}px;padding:{pad}px;background:{colour};color:#fff;font:{size}px/1.25 sans-serif;"
    'text-decoration:none">{inside}</a>'
)
_IMAGE = '<img src="{src}" width="{w}" height="{h}" alt="{alt}" style="display:block;border:0">'
_PIXEL = '<img src="{src}" width="1" height="1" alt="" style="position:absolute;visibility:hidden">'


def banner_html(creative: CreativePlan, width: int, height: int, links: Links) -> str:
    """The banner's HTML. A click goes to the advertiser's page, and its notice is sent on the way where it may be."""
    href = escape(creative.click_url)
    if creative.image_url is not None:
        inside = _IMAGE.format(src=escape(creative.image_url), w=width, h=height, alt=escape(creative.title))
        pad = 0
    else:
        inside, pad = _words(creative, height), max(2, min(12, height // 12))
    size = max(9, min(22, height // 9))
    html = _BOX.format(
        href=href, w=width, h=height, pad=pad, colour=colour_of(creative.brand), size=size, inside=inside
    )
    if links.click:
        html = html.replace("<a ", f'<a ping="{escape(links.click)}" ', 1)
    return html + _PIXEL.format(src=escape(links.seen)) if links.seen else html


def _words(creative: CreativePlan, height: int) -> str:
    """As many of the advertiser's words as there is room for."""
    title = f"<b>{escape(creative.title or creative.brand)}</b>"
    if height < 100:
        return f"{title} &middot; {escape(creative.call)}"
    call, brand = f"<u>{escape(creative.call)}</u>", f"<small>{escape(creative.brand)}</small>"
    return "<br>".join((title, escape(creative.text), call, brand))


def colour_of(brand: str) -> str:
    """A background of its own for each advertiser, always the same."""
    return _COLOURS[sum(brand.encode()) % len(_COLOURS)]


@lru_cache(1024)
def drawn_image(brand: str, width: int, height: int) -> str:
    """An image of the advertiser's name as a data URI: it loads nothing and fits any size."""
    size = max(6, min(height // 3, 2 * width // max(1, len(brand))))
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}">'
        f'<rect width="100%" height="100%" fill="{colour_of(brand)}"/><text x="50%" y="50%" fill="#fff" '
        f'font-family="sans-serif" font-size="{size}" text-anchor="middle" dominant-baseline="middle">'
        f"{escape(brand)}</text></svg>"
    )
    return "data:image/svg+xml," + quote(svg, safe="")
