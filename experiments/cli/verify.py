"""`bidlab bidder verify FILE`: every decision of a capture, made again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from experiments.errors import RunError

if TYPE_CHECKING:
    from bidder.desk import Desk
    from bidder.server.captured import Header
    from bidder.server.recorded import Recorded


def verify(file: Annotated[Path, typer.Argument(help="What `bidlab bidder serve --capture` has written.")]) -> None:
    """Repeat a capture on a fresh desk; exit code 1 at the first decision that differs."""
    from bidder.errors import CaptureError
    from bidder.server.capture import verify as verify_capture

    try:
        held = asyncio.run(verify_capture(file, fresh_desk))
    except CaptureError as error:
        raise RunError(str(error)) from None
    end = "every decision and the final book are the same" if held.complete else "every decision is the same; no end"
    print(f"{file}: {held.requests:,} requests with {held.bids:,} bids and {held.notices:,} notices: {end}")


def fresh_desk(header: Header, clock: Callable[[], float], people: Recorded | None = None) -> Desk:
    """The desk a capture began with; *people* None: the scenario's own."""
    from bidder.desk import Desk
    from bidder.server.capture import begin_with
    from experiments.scenario.loader import load_text
    from experiments.setting import make_ready

    setting = make_ready(load_text(header.scenario_yaml, "the captured scenario"))
    if people is not None:
        directory = replace(setting.directory, segments=people.segments)
        setting = replace(setting, audience=people, directory=directory)
    desk = Desk(
        setting.new_book(),
        setting.plans,
        setting.directory,
        setting.audience,
        clock=clock,
        reservation_s=setting.scenario.wire.reservation_s,
        currency=setting.scenario.currency,
        vendor_id=header.vendor_id,
        bid_prefix="" if header.start is None else header.start.bid_prefix,
        skips_duplicates=setting.scenario.duplicates == "skip",
    )
    if header.start is not None:
        begin_with(desk, desk.book, setting.plans, header.start)
    return desk
