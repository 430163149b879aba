"""The addresses an ad calls back. Whoever serves it makes them: the bidder only knows where they belong."""

from __future__ import annotations

from typing import NamedTuple

from openrtb.secure import loads_securely


class Links(NamedTuple):
    """Addresses of one bid; an empty one is left out."""

    nurl: str = ""
    burl: str = ""
    lurl: str = ""
    seen: str = ""
    """Called when the ad is drawn; it counts and bills nothing."""
    event: str = ""
    """Called with the name of a playback event after it."""
    click: str = ""
    """Called when the ad is clicked."""


SILENT = Links()
"""No call at all, as for a trial."""


def for_secure_page(links: Links) -> Links:
    """Without those that browsers and players would refuse to call from a secure page, as is each that is plain HTTP.

    They bill nothing; notices go from server to server and stay.
    """
    seen, event, click = (link if loads_securely(link) else "" for link in (links.seen, links.event, links.click))
    return links._replace(seen=seen, event=event, click=click)
