"""Channels: what sellers sum their slots up as. A slot belongs to one, by its format, its seller and its devices."""

from __future__ import annotations

from typing import Literal

from experiments.compile.selling import Offered, offered_slots
from experiments.scenario.models import Scenario

Channel = Literal["display", "mobile web", "in-app", "video", "native", "audio"]
CHANNELS: tuple[Channel, ...] = ("display", "mobile web", "in-app", "video", "native", "audio")


def slot_channels(scenario: Scenario) -> list[Channel]:
    """The channel of every slot, in the order of `offered_slots`."""
    return [channel_of(scenario, offered) for offered in offered_slots(scenario)]


def channel_of(scenario: Scenario, offered: Offered) -> Channel:
    """Video, native and audio by format; else in-app what apps sell, mobile web what phones and tablets see most.

    A network does not say whether what it resells is an app's.
    """
    slot = offered.slot
    for channel in ("video", "native", "audio"):
        if slot.format == channel:
            return channel
    if not offered.resold and scenario.publishers[offered.owner].kind == "app":
        return "in-app"
    in_hand = slot.devices.get("mobile", 0.0) + slot.devices.get("tablet", 0.0)
    return "mobile web" if slot.format == "mobile" or 2.0 * in_hand > sum(slot.devices.values()) else "display"
