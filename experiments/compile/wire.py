"""From a scenario to the wire and to what sellers say about their slots."""

from __future__ import annotations

from exchange_sim.cable import ConstantDelay, Delay, EmpiricalDelay, LognormalDelay, Wire
from exchange_sim.requests import EXCHANGE_DOMAIN, DealCard, SlotCard
from experiments.compile.pages import Placed, page_of
from experiments.compile.selling import offered_slots
from experiments.scenario import market
from experiments.scenario.selling import Publisher
from experiments.setting import Setting

START_DELAYS = {"pre": 0, "mid": -1, "post": -2}
"""`video.startdelay` (AdCOM 1.0, start delay modes)."""


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
    """What sellers say about each slot, in index order; under the mask of an anonymous one."""
    cards = []
    scenario, directory = setting.scenario, setting.directory
    for s, offered in enumerate(offered_slots(scenario)):
        row = setting.world.slots[s]
        seller_id = directory.publishers[int(row["publisher_ix"])]
        publisher = scenario.publishers.get(offered.owner)
        deal_ix = int(row["deal_ix"])
        placed = None if publisher is None or offered.exchange else page_of(publisher, offered.name)
        cards.append(
            SlotCard(
                publisher_id=seller_id,
                kind="site" if offered.resold or publisher is None else publisher.kind,
                domain=publisher.domain or seller_id if publisher and not publisher.anonymous else seller_id,
                tag_id=directory.slots[s],
                format=offered.slot.format,
                width=offered.slot.width,
                height=offered.slot.height,
                floor_nanos=int(row["floor_nanos"]),
                deal_id=directory.deals[deal_ix] if deal_ix >= 0 else None,
                deal_floor_nanos=int(row["deal_floor_nanos"]),
                exchange=f"{offered.exchange}.bidlab" if offered.exchange else EXCHANGE_DOMAIN,
                through_ssp=scenario.fees.ssp > 0,
                resold=offered.resold,
                blocked=() if publisher is None else tuple(publisher.blocked),
                blocked_categories=() if publisher is None else tuple(publisher.blocked_categories),
                blocked_attributes=() if publisher is None else tuple(publisher.blocked_attributes),
                start_delay=None if offered.slot.roll is None else START_DELAYS[offered.slot.roll],
                position=-1 if placed is None else placed.position,
                pod=None if placed is None or publisher is None else _pod(publisher, placed),
            )
        )
    return cards


def _pod(publisher: Publisher, placed: Placed) -> tuple[str, int] | None:
    """The pod that a page of video slots alone makes, under a name that says nothing of its seller."""
    if any(publisher.slots[name].format != "video" for name in placed.page.slots):
        return None
    last = placed.position == len(placed.page.slots) - 1
    return f"pod-{placed.number}", 1 if placed.position == 0 else -1 if last else 0


def deal_cards(setting: Setting) -> list[DealCard]:
    """What sellers say about each deal, in index order."""
    return [
        DealCard(name, deal.kind in ("preferred", "guaranteed"), deal.kind == "guaranteed")
        for name, deal in setting.scenario.deals.items()
    ]
