"""Fields that moved: where 2.6 has them and where 2.5 kept them. The 2.6 place wins when both are filled."""

from __future__ import annotations

import math

from openrtb.messages import BidRequest, Eid, Geo, SupplyChain


def gdpr(request: BidRequest) -> int | None:
    """Whether European data protection applies: `regs.gdpr`, in 2.5 `regs.ext.gdpr`; None: not said."""
    regs = request.regs
    if regs is None:
        return None
    return regs.gdpr if regs.gdpr is not None or regs.ext is None else regs.ext.gdpr


def us_privacy(request: BidRequest) -> str | None:
    """The US privacy string: `regs.us_privacy`, in 2.5 `regs.ext.us_privacy`."""
    regs = request.regs
    if regs is None:
        return None
    return regs.us_privacy if regs.us_privacy is not None or regs.ext is None else regs.ext.us_privacy


def gpp(request: BidRequest) -> tuple[str | None, list[int]]:
    """The GPP string and the sections of it that apply: `regs.gpp` and `regs.gpp_sid`, in 2.5 in `regs.ext`."""
    regs = request.regs
    if regs is None:
        return None, []
    moved = regs.ext
    string = regs.gpp if regs.gpp is not None or moved is None else moved.gpp
    sections = regs.gpp_sid if regs.gpp_sid is not None or moved is None else moved.gpp_sid
    return string, sections or []


def coppa(request: BidRequest) -> bool:
    """Whether the request is for children: `regs.coppa`; some write `regs.ext.coppa`."""
    regs = request.regs
    return regs is not None and (regs.coppa == 1 or (regs.ext is not None and regs.ext.coppa == 1))


def consent(request: BidRequest) -> str | None:
    """The consent string: `user.consent`, in 2.5 `user.ext.consent`."""
    user = request.user
    if user is None:
        return None
    return user.consent if user.consent is not None or user.ext is None else user.ext.consent


def eids(request: BidRequest) -> list[Eid]:
    """Extended identifiers: `user.eids`, in 2.5 `user.ext.eids`."""
    user = request.user
    if user is None:
        return []
    moved = None if user.ext is None else user.ext.eids
    return (user.eids if user.eids is not None else moved) or []


def schain(request: BidRequest) -> SupplyChain | None:
    """The supply chain: `source.schain`, in 2.5 `source.ext.schain`."""
    source = request.source
    if source is None:
        return None
    return source.schain if source.schain is not None or source.ext is None else source.ext.schain


def tmax_ms(request: BidRequest) -> float | None:
    """Time to answer in ms; None when it is not said, not above zero, or a text that is no number.

    Texts are met in the field. A wrong limit costs one late answer, so it is no reason to refuse the request.
    """
    try:
        limit = float(request.tmax) if request.tmax is not None else 0.0
    except (ValueError, OverflowError):
        return None
    return limit if 0.0 < limit < math.inf else None


def position(geo: Geo) -> tuple[float, float] | None:
    """Latitude and longitude in degrees; None when one is missing or lies off the globe, which is met in the field."""
    if geo.lat is None or geo.lon is None or not (-90.0 <= geo.lat <= 90.0 and -180.0 <= geo.lon <= 180.0):
        return None
    return geo.lat, geo.lon
