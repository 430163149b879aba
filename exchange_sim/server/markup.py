"""What a bid's markup is and whether a page may show it: medium, size, and resources over plain HTTP."""

from __future__ import annotations

import json
import re
from typing import Any

from openrtb.codes import MarkupType
from openrtb.messages import Audio, Banner, Bid, Format, Imp, Native, Video
from openrtb.secure import loads_securely

_TYPE_NAMES = {
    MarkupType.BANNER: "banner",
    MarkupType.VIDEO: "video",
    MarkupType.AUDIO: "audio",
    MarkupType.NATIVE: "native",
}
_PLAIN_HTTP = re.compile(
    r"""(?: \bsrc(?:set)?\s*=\s*["']? | url\(\s*["']?
      | <(?:MediaFile|StaticResource|IFrameResource|VASTAdTagURI|Impression|Tracking|JavaScriptResource)\b[^>]*>
        \s*(?:<!\[CDATA\[)?\s* )
      (http://[^\s"'<>\]]+)""",
    re.VERBOSE | re.IGNORECASE,
)


def type_name(mtype: int) -> str:
    """`banner`, `video`, `audio` or `native`, as in an impression."""
    return _TYPE_NAMES[MarkupType(mtype)]


def offered_types(imp: Imp) -> set[int]:
    """Codes of `mtype` an impression takes."""
    rooms = (imp.banner, imp.video, imp.audio, imp.native)
    return {int(mtype) for mtype, room in zip(MarkupType, rooms, strict=True) if room is not None}


def room_of(imp: Imp, mtype: int) -> Banner | Video | Audio | Native:
    """What an impression offers to markup of a type it takes."""
    rooms = (imp.banner, imp.video, imp.audio, imp.native)
    return next(room for kind, room in zip(MarkupType, rooms, strict=True) if kind == mtype and room is not None)


def markup_type(bid: Bid, imp: Imp) -> int | None:
    """What the bid says its markup is; when it is silent, the impression's one medium, or what it looks like."""
    if bid.mtype is not None:
        return bid.mtype if bid.mtype in _TYPE_NAMES else None
    offered = offered_types(imp)
    if len(offered) == 1:
        return next(iter(offered))
    text = (bid.adm or "").lstrip()
    if is_vast(text):
        return int(MarkupType.VIDEO if MarkupType.VIDEO in offered else MarkupType.AUDIO)
    return int(MarkupType.NATIVE if native_of(text) is not None else MarkupType.BANNER)


def markup_problem(adm: str, mtype: int) -> str | None:
    """Why markup is not of the type it should be; None: it may be."""
    if mtype in (MarkupType.VIDEO, MarkupType.AUDIO) and not is_vast(adm) and not is_url(adm):
        return "is neither VAST nor the URL of some"
    if mtype == MarkupType.NATIVE and native_of(adm) is None:
        return "is no native response with assets and a link"
    return None


def is_vast(adm: str) -> bool:
    """Whether it is a VAST document, by its beginning."""
    return re.match(r"\s*(<\?xml[^>]*>)?\s*(<!--.*?-->\s*)*<VAST\b", adm, re.IGNORECASE | re.DOTALL) is not None


def is_url(adm: str) -> bool:
    """Whether it is an address."""
    return re.match(r"\s*https?://\S+\s*$", adm, re.IGNORECASE) is not None


def native_of(adm: str) -> dict[str, Any] | None:
    """The native response in a text, with or without the wrapper of Native 1.0."""
    try:
        data = json.loads(adm)
    except (ValueError, RecursionError):
        return None
    if isinstance(data, dict) and isinstance(data.get("native"), dict):
        data = data["native"]
    known = isinstance(data, dict) and isinstance(data.get("assets"), list) and isinstance(data.get("link"), dict)
    return data if known else None


def plain_http(bid: Bid, mtype: int) -> str | None:
    """The first resource a secure page would refuse to load; None: there is none."""
    adm = bid.adm or ""
    if mtype == MarkupType.NATIVE:
        urls = _urls(native_of(adm))
    else:
        urls = _PLAIN_HTTP.findall(adm)
        if is_url(adm):
            urls.append(adm.strip())
    return next((url for url in urls if not loads_securely(url)), None)


def _urls(native: dict[str, Any] | None) -> list[str]:
    """Resources of a native response: images, trackers; not where a click leads."""
    if native is None:
        return []
    found = [asset.get(kind, {}) for asset in native["assets"] if isinstance(asset, dict) for kind in ("img", "video")]
    found += [tracker for tracker in native.get("eventtrackers") or [] if isinstance(tracker, dict)]
    texts = [part.get("url") for part in found if isinstance(part, dict)]
    texts += native.get("imptrackers") or []
    return [text for text in texts if isinstance(text, str)]


def fits(bid: Bid, imp: Imp) -> bool:
    """Whether a banner's size is one the impression takes; a silent one fits where there is a single size."""
    banner = imp.banner
    assert banner is not None
    sizes = sizes_of(banner)
    if bid.w is None or bid.h is None:
        return len(sizes) <= 1
    if imp.instl == 1:
        return any(bid.w <= (size.w or bid.w) and bid.h <= (size.h or bid.h) for size in sizes) or not sizes
    return not sizes or any(_is(bid.w, bid.h, size) for size in sizes)


def sizes_of(banner: Banner) -> list[Format]:
    """Every size a banner may have; none: any."""
    own = [Format(banner.w, banner.h)] if banner.w and banner.h else []
    return [*(banner.format or []), *own]


def _is(w: int, h: int, size: Format) -> bool:
    if size.w and size.h:
        return (w, h) == (size.w, size.h)
    if size.wratio and size.hratio:
        return w * size.hratio == h * size.wratio and w >= (size.wmin or 0)
    return False
