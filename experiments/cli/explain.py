"""`bidlab explain`: why each campaign of a scenario bids or does not for one request."""

from __future__ import annotations

import json
import math
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from experiments.errors import RunError

if TYPE_CHECKING:
    from bidder.explain import Explanation, Opportunity


def explain(
    request: Annotated[str, typer.Argument(help="A file that holds one OpenRTB request; - is standard input.")],
    scenario: Annotated[str, typer.Argument(help="A scenario file, or the name of a shipped one.")] = "retail-launch",
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="PATH=VALUE", help="Change one setting.")
    ] = None,
    after_h: Annotated[float, typer.Option(help="Hours since the scenario's start.")] = 12.0,
    vendor_id: Annotated[int | None, typer.Option(min=1, help="Our number in the global vendor list.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say per campaign why it bids or not for a request, and where the microseconds go."""
    from openrtb.errors import InvalidMessage

    if not 0.0 <= after_h < math.inf:
        raise RunError(f"--after-h {after_h}: must be a number from 0")
    body = _read(request)
    try:
        found, currency = _explained(body, scenario, settings or [], after_h * 3600.0, vendor_id)
    except InvalidMessage as mistake:
        raise RunError(f"{request}: {mistake}; the bidder answers it with 400") from None
    print(json.dumps(found.as_json()) if as_json else _page(found, currency))


def _read(request: str) -> bytes:
    try:
        return sys.stdin.buffer.read() if request == "-" else Path(request).read_bytes()
    except OSError as error:
        raise RunError(f"{request}: cannot be read ({error.strerror})") from None


def _explained(
    body: bytes, scenario: str, settings: list[str], now_s: float, vendor_id: int | None
) -> tuple[Explanation, str]:
    from bidder.desk import Desk
    from bidder.explain import Explainer
    from bidder.server.app import Service
    from bidder.server.signing import Signer
    from experiments.scenario.loader import load
    from experiments.setting import make_ready
    from openrtb.decode import decode_request

    decode_request(body)  # a broken request is told before the people are drawn
    plan = load(scenario, settings)
    setting = make_ready(plan)
    desk = Desk(
        setting.new_book(),
        setting.plans,
        setting.directory,
        setting.audience,
        clock=lambda: now_s,
        reservation_s=plan.wire.reservation_s,
        currency=plan.currency,
        vendor_id=vendor_id,
    )
    desk.tick()
    service = Service(desk, Signer(time.time), currency=plan.currency, public_url="https://bidder.example")
    press = service.rehearsal()
    return Explainer(desk, setting.plans, setting.directory, press, press.encode).explain(body, now_s), plan.currency


def _page(found: Explanation, currency: str) -> str:
    """The explanation for people."""
    recognised = "may be recognised" if found.recognised else "may not be recognised: a stranger"
    lines = [f"request {found.request_id}: its person {recognised}"]
    lines += [f"cannot be answered: {problem}" for problem in found.problems]
    for opportunity in found.opportunities:
        lines += ["", *_table(opportunity, currency)]
    stages = ", ".join(f"{name} {value:.1f}" for name, value in found.stages_us.items())
    return "\n".join([*lines, "", f"microseconds (medians): {stages}"])


def _table(opportunity: Opportunity, currency: str) -> list[str]:
    facts = ", ".join(f"{name} {_shown(value)}" for name, value in opportunity.facts.items())
    rows = [
        (
            verdict.campaign_id,
            verdict.reason.replace("_", " "),
            "" if verdict.price_cpm is None else f"{verdict.price_cpm:.6g} {currency}",
            verdict.creative_id or verdict.detail,
        )
        for verdict in opportunity.verdicts
    ]
    widths = [max(len(row[k]) for row in rows) for k in range(3)]
    return [f"impression {opportunity.imp_id} as {opportunity.kind}: {facts}"] + [
        f"  {row[0]:<{widths[0]}}  {row[1]:<{widths[1]}}  {row[2]:>{widths[2]}}  {row[3]}".rstrip() for row in rows
    ]


def _shown(value: Any) -> str:
    return "none" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
