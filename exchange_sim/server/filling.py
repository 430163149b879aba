"""A page's request made whole: what Prebid.js and its like leave out is filled in, and what is ours alone is taken out.

Works on the message as plain data, so that fields this project does not know reach the bidders too.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any, NamedTuple

from exchange_sim.server.rules import Rules, Seller
from openrtb.money import NANOS_PER_CPM, nanos_to_cpm


class Caller(NamedTuple):
    """What HTTP says of whoever asks."""

    address: str
    agent: str | None
    page: str | None


class Wanted(NamedTuple):
    """Which bidders a page asks for an impression, with its parameters for each; None: all of them."""

    params: Mapping[str, Any] | None


class _Asked(NamedTuple):
    """What floor rules ask of a request."""

    publisher: str | None
    places: frozenset[str]
    hour: int


def fill(request: dict[str, Any], caller: Caller, rules: Rules, now_unix_s: float) -> dict[str, Wanted]:
    """Make *request* whole in place; returns what the page wants of bidders, by impression id.

    Expects a request that has been decoded before, so that every known field has its type.
    """
    _merge(request, rules.defaults)
    request.setdefault("at", rules.at)
    request["cur"] = [rules.currency]
    _device(request, caller)
    site = request.get("site")
    if site is not None and caller.page and not site.get("page"):
        site["page"] = caller.page
    asked = _asked(request, now_unix_s)
    seller = rules.sellers.get(asked.publisher or "", Seller())
    for key, blocked in (
        ("badv", rules.blocked_advertisers + seller.blocked_advertisers),
        ("bcat", rules.blocked_categories + seller.blocked_categories),
    ):
        if blocked:
            request[key] = list(dict.fromkeys([*(request.get(key) or []), *blocked]))
    _drop_ours(request)
    return {imp["id"]: _impression(imp, rules, asked) for imp in request["imp"]}


def _asked(request: dict[str, Any], now_unix_s: float) -> _Asked:
    place: dict[str, Any] = next((request[kind] for kind in ("site", "app", "dooh") if request.get(kind)), {})
    geo = (request.get("device") or {}).get("geo") or {}
    named = (geo.get(name) for name in ("country", "region", "city"))
    # The Unix epoch began on a Thursday.
    hour = (int(now_unix_s // 3600.0) + 3 * 24) % (7 * 24)
    return _Asked((place.get("publisher") or {}).get("id"), frozenset(name for name in named if name), hour)


def _impression(imp: dict[str, Any], rules: Rules, asked: _Asked) -> Wanted:
    ext = imp.get("ext") if isinstance(imp.get("ext"), dict) else {}
    assert ext is not None
    prebid = ext.pop("prebid", None)
    prebid = prebid if isinstance(prebid, dict) else {}
    data = ext.get("data") if isinstance(ext.get("data"), dict) else {}
    told = (imp.get("tagid"), ext.get("gpid"), (data or {}).get("pbadslot"), prebid.get("adunitcode"), imp["id"])
    names = [name for name in told if isinstance(name, str)]
    for name in names:
        if name in rules.placements:
            _merge(imp, rules.placements[name])
            break
    if not ext:
        imp.pop("ext", None)
    _floor(imp, rules.currency, _least_nanos(imp, frozenset(names), rules, asked))
    wanted = prebid.get("bidder")
    return Wanted(wanted if isinstance(wanted, dict) else None)


def _least_nanos(imp: dict[str, Any], names: frozenset[str], rules: Rules, asked: _Asked) -> int:
    """The exchange's own floor: that of the first rule that fits."""
    formats = frozenset(kind for kind in ("banner", "video", "native", "audio") if imp.get(kind) is not None)
    for rule in rules.floor_rules:
        if (
            (rule.publishers is None or asked.publisher in rule.publishers)
            and (rule.placements is None or not names.isdisjoint(rule.placements))
            and (rule.formats is None or frozenset() < formats <= rule.formats)
            and (rule.places is None or not asked.places.isdisjoint(rule.places))
            and (rule.hours is None or asked.hour in rule.hours)
        ):
            return rule.floor_nanos
    return rules.floor_nanos


def _floor(imp: dict[str, Any], currency: str, least_nanos: int) -> None:
    """The exchange's own floor where the seller's is lower; one in another currency is left to the check."""
    if not imp.get("bidfloor"):
        imp["bidfloorcur"] = currency
    if imp.get("bidfloorcur", "USD") == currency:
        floor = float(imp.get("bidfloor") or 0.0)
        if floor * NANOS_PER_CPM < least_nanos:
            floor = nanos_to_cpm(least_nanos)
        imp["bidfloor"] = floor


def _device(request: dict[str, Any], caller: Caller) -> None:
    device = request.setdefault("device", {}) or {}
    request["device"] = device
    if caller.agent:
        device.setdefault("ua", caller.agent)
    if not device.get("ip") and not device.get("ipv6"):
        try:
            address = ipaddress.ip_address(caller.address)
        except ValueError:
            return
        device["ip" if address.version == 4 else "ipv6"] = str(address)


def _drop_ours(request: dict[str, Any]) -> None:
    """What the page tells us and bidders need not know."""
    ext = request.get("ext")
    if isinstance(ext, dict):
        ext.pop("prebid", None)
        if not ext:
            del request["ext"]


def _merge(into: dict[str, Any], more: Mapping[str, Any]) -> None:
    """Fill in what *into* lacks; of site, app and dooh only the one that is there, or all when none is."""
    kinds = {"site", "app", "dooh"}
    there = kinds & {key for key in into if into[key] is not None}
    for key, value in more.items():
        if key in kinds and there and key not in there:
            continue
        if isinstance(value, Mapping) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        elif into.get(key) is None:
            into[key] = _copied(value)


def _copied(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _copied(part) for key, part in value.items()}
    return [_copied(part) for part in value] if isinstance(value, list | tuple) else value
