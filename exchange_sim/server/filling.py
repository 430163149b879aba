"""A page's request made whole: what Prebid.js and its like leave out is filled in, and what is ours alone is taken out.

Works on the message as plain data, so that fields this project does not know reach the bidders too.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any, NamedTuple

from exchange_sim.server.rules import Rules
from openrtb.money import NANOS_PER_CPM, nanos_to_cpm


class Caller(NamedTuple):
    """What HTTP says of whoever asks."""

    address: str
    agent: str | None
    page: str | None


class Wanted(NamedTuple):
    """Which bidders a page asks for an impression, with its parameters for each; None: all of them."""

    params: Mapping[str, Any] | None


def fill(request: dict[str, Any], caller: Caller, rules: Rules) -> dict[str, Wanted]:
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
    for key, blocked in (("badv", rules.blocked_advertisers), ("bcat", rules.blocked_categories)):
        if blocked:
            request[key] = list(dict.fromkeys([*(request.get(key) or []), *blocked]))
    _drop_ours(request)
    return {imp["id"]: _impression(imp, rules) for imp in request["imp"]}


def _impression(imp: dict[str, Any], rules: Rules) -> Wanted:
    ext = imp.get("ext") if isinstance(imp.get("ext"), dict) else {}
    assert ext is not None
    prebid = ext.pop("prebid", None)
    prebid = prebid if isinstance(prebid, dict) else {}
    data = ext.get("data") if isinstance(ext.get("data"), dict) else {}
    names = (imp.get("tagid"), ext.get("gpid"), (data or {}).get("pbadslot"), prebid.get("adunitcode"), imp["id"])
    for name in names:
        if isinstance(name, str) and name in rules.placements:
            _merge(imp, rules.placements[name])
            break
    if not ext:
        imp.pop("ext", None)
    _floor(imp, rules)
    wanted = prebid.get("bidder")
    return Wanted(wanted if isinstance(wanted, dict) else None)


def _floor(imp: dict[str, Any], rules: Rules) -> None:
    """The exchange's own floor where the seller's is lower; one in another currency is left to the check."""
    if not imp.get("bidfloor"):
        imp["bidfloorcur"] = rules.currency
    if imp.get("bidfloorcur", "USD") == rules.currency:
        floor = float(imp.get("bidfloor") or 0.0)
        if floor * NANOS_PER_CPM < rules.floor_nanos:
            floor = nanos_to_cpm(rules.floor_nanos)
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
