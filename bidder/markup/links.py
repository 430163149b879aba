"""The addresses an ad calls back. Whoever serves it makes them: the bidder only knows where they belong."""

from __future__ import annotations

from typing import NamedTuple


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
