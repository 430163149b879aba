"""From a scenario to the wire and to what sellers say about their slots."""

from __future__ import annotations

from exchange_sim.cable import ConstantDelay, Delay, EmpiricalDelay, LognormalDelay, Wire
from exchange_sim.requests import SlotCard
from experiments.compile_market import slot_names
from experiments.scenario import market
from experiments.setting import Setting


def compile_wire(spec: market.Wire) -> Wire:
    """Latency, time-outs and lost notices of a scenario."""
    return Wire(
        tmax_ms=spec.tmax_ms,
        request=_delay(spec.request_delay),
        response=_delay(spec.response_delay),
        notice=_delay(spec.notice_delay),
        lost_share=spec.lost_notices,
        duplicated_share=spec.duplicated_notices,
    )


def _delay(spec: market.Delay) -> Delay:
    if isinstance(spec, market.LognormalDelay):
        return LognormalDelay(spec.median_ms, spec.sigma)
    if isinstance(spec, market.EmpiricalDelay):
        return EmpiricalDelay(tuple(spec.values_ms))
    return ConstantDelay(spec.ms)


def slot_cards(setting: Setting) -> list[SlotCard]:
    """What sellers say about each slot, in index order."""
    cards = []
    for s, (publisher_name, slot_name) in enumerate(slot_names(setting.scenario)):
        publisher = setting.scenario.publishers[publisher_name]
        slot, row = publisher.slots[slot_name], setting.world.slots[s]
        deal_ix = int(row["deal_ix"])
        cards.append(
            SlotCard(
                publisher_id=publisher_name,
                kind=publisher.kind,
                domain=publisher.domain or publisher_name,
                tag_id=setting.directory.slots[s],
                format=slot.format,
                width=slot.width,
                height=slot.height,
                floor_nanos=int(row["floor_nanos"]),
                deal_id=setting.directory.deals[deal_ix] if deal_ix >= 0 else None,
                deal_floor_nanos=int(row["deal_floor_nanos"]),
            )
        )
    return cards
