"""Broken requests, a few thousand of them: no error, no hang, no answer that is none. `make fuzz` sends a million."""

from __future__ import annotations

import asyncio
import json
import random

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.bidder.server.test_app import REQUEST, Client, served
from tests.bidder.server.test_lane import Caller, calling, post
from tests.bidder.test_desk import desk, plan
from tests.fuzz.inputs import changed, mangled, rich, seeds
from tests.fuzz.series import Fuzzed, run

FUZZED = Fuzzed()


def test_a_short_series() -> None:
    """It reaches bids, refusals and silence alike."""
    report = run(5_000, seed=2)
    assert report.failed == []
    assert report.statuses.total() == 5_000
    assert min(report.statuses[status] for status in (200, 400)) > 1_000
    assert report.bids > 500


def test_the_request_all_series_begin_with_is_bid_for_in_every_room() -> None:
    service = FUZZED.service
    status, body = service.reply(json.dumps(rich()).encode(), 1e12, False)
    assert status == 200
    (seat,) = json.loads(body)["seatbid"]
    assert [bid["mtype"] for bid in seat["bid"]] == [1, 2, 3, 4]


@settings(max_examples=300)
@given(st.integers(0, 2**32), st.sampled_from(seeds()))
def test_any_change_of_structure(number: int, seed: dict[str, object]) -> None:
    luck = random.Random(number)
    assert FUZZED.answer(json.dumps(changed(luck, seed)).encode()) in (200, 204, 400)


@settings(max_examples=300)
@given(st.integers(0, 2**32), st.sampled_from(seeds()))
def test_any_change_of_bytes(number: int, seed: dict[str, object]) -> None:
    luck = random.Random(number)
    assert FUZZED.answer(mangled(luck, json.dumps(seed).encode())) in (200, 204, 400)


async def answered(caller: Caller) -> int:
    """Status of the answer; 0: there is none, because the rest of the request is waited for, or the server hung up.

    Waited for is decided by turns of the event loop, which service and client share, not by time alone.
    """
    answer = asyncio.ensure_future(caller.answer())
    for _ in range(100):
        done, _ = await asyncio.wait({answer}, timeout=0.003)
        if done:
            break
    answer.cancel()
    try:
        return (await answer)[0]
    except (asyncio.CancelledError, asyncio.IncompleteReadError, ConnectionError):
        return 0


def test_mangled_heads_over_a_socket() -> None:
    """Whatever a client sends, it gets an answer that is no 5xx or is waited for, and the next client is served."""
    luck = random.Random(3)
    whole = post(json.dumps(REQUEST).encode(), b"x-openrtb-version: 2.6", b"Accept-Encoding: gzip")
    head, _, body = whole.partition(b"\r\n\r\n")

    async def story(client: Client) -> None:
        statuses = set()
        for _ in range(150):
            async with calling(client) as caller:
                caller.writer.write(mangled(luck, head) + b"\r\n\r\n" + body)
                statuses.add(await answered(caller))
        assert all(status < 500 for status in statuses), statuses
        assert {200, 400} <= statuses
        assert (await client.bid())["price"] == 2.0

    served(story, desk(plan(total_nanos=10**12)))
