"""A campaign as several: one for each format, device or publisher it may buy, or one flight after the other.

Allocating a total over these parts is allocating it over channels, or over time. Caps hold within a part; what people
have seen of the product is counted over all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from pydantic import ValidationError

from experiments.errors import StudyError
from experiments.scenario.models import Scenario
from experiments.scenario.problems import suggestion

HOW = "format, device, publisher or time:N"
MOST_FLIGHTS = 100


def split_all(base: Scenario, texts: Sequence[str]) -> tuple[Scenario, dict[str, list[str]]]:
    """*base* with each campaign of `campaign=how` in parts, and the parts' names; raises `StudyError`."""
    parts: dict[str, list[str]] = {}
    for text in texts:
        name, equals, how = text.rpartition("=")
        if not equals:
            raise StudyError(f"--split {text}: is not campaign=how; write for example launch=time:3 ({HOW})")
        base, parts[name] = split_campaign(base, name, how)
    return base, parts


def split_campaign(base: Scenario, name: str, how: str) -> tuple[Scenario, list[str]]:
    """*base* with one campaign in parts that share its budget equally, and their names; raises `StudyError`."""
    said = f"--split {name}={how}"
    if name not in base.campaigns:
        raise StudyError(f"{said}: no such campaign; {suggestion(name, base.campaigns, 'there are')}")
    changes = _flights(base, name, how, said) if how.startswith("time:") else _channels(base, name, how, said)
    if len(changes) < 2:
        raise StudyError(f"{said}: there is only one part, {', '.join(changes)}; nothing can be shared")
    data = base.model_dump(mode="json")
    campaigns: dict[str, Any] = {}
    for other, settings in data["campaigns"].items():
        if other != name:
            campaigns[other] = settings
            continue
        total, daily = settings["budget"]["total"], settings["budget"]["daily"]
        share = 1.0 if how.startswith("time:") or daily is None else 1.0 / len(changes)
        part = total / len(changes)
        budget = {"total": part, "daily": None if daily is None else min(daily * share, part)}
        for part, change in changes.items():
            target = {**settings["target"], **change.pop("target", {})}
            campaigns[f"{name}-{part}"] = {**settings, **change, "budget": budget, "target": target}
    try:
        scenario = Scenario.model_validate({**data, "campaigns": campaigns})
    except ValidationError as error:
        raise StudyError(f"{said}: the parts make no scenario: {error.errors()[0]['msg']}") from None
    return scenario, [f"{name}-{part}" for part in changes]


def _channels(base: Scenario, name: str, how: str, said: str) -> dict[str, dict[str, Any]]:
    target = base.campaigns[name].target
    slots = [slot for publisher in base.publishers.values() for slot in publisher.slots.values()]
    found: list[str]
    if how == "format":
        formats = {slot.format for slot in slots}
        found, field = [value for value in target.formats or sorted(formats) if value in formats], "formats"
    elif how == "device":
        devices = {device for slot in slots for device in slot.devices}
        found, field = [value for value in target.devices or sorted(devices) if value in devices], "devices"
    elif how == "publisher":
        found, field = [*target.publishers] or [*base.publishers], "publishers"
    else:
        raise StudyError(f"{said}: must be {HOW}")
    return {value: {"target": {field: [value]}} for value in found}


def _flights(base: Scenario, name: str, how: str, said: str) -> dict[str, dict[str, Any]]:
    count = how.removeprefix("time:")
    if not count.isdecimal() or not 2 <= int(count) <= MOST_FLIGHTS:
        raise StudyError(f"{said}: time wants a whole number of flights from 2 to {MOST_FLIGHTS}: time:3")
    campaign = base.campaigns[name]
    start = campaign.start or base.start
    end = campaign.end or base.start + timedelta(days=base.days)
    edges = [start + (end - start) * k / int(count) for k in range(int(count) + 1)]
    return {str(k + 1): {"start": edges[k].isoformat(), "end": edges[k + 1].isoformat()} for k in range(int(count))}
