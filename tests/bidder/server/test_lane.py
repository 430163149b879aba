"""The fast lane over real sockets: the same answers as aiohttp's, however the bytes arrive."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
from collections.abc import AsyncIterator

import pytest

from bidder.server import lane as lanes_module
from bidder.server.lane import LONGEST_HEAD, Head, Lanes, read_head
from tests.bidder.server.test_app import REQUEST, Client, served
from tests.bidder.test_desk import desk, plan
from tests.openrtb.test_decode import SEEDS
from tests.patience import HANG_S, until

BODY = json.dumps(REQUEST).encode()
TYPE = b"Content-Type: application/json\r\n"


def post(body: bytes, *lines: bytes, path: bytes = b"/openrtb2/bid") -> bytes:
    """A request as bytes."""
    head = b"".join(line + b"\r\n" for line in lines)
    return b"POST %b HTTP/1.1\r\nHost: b\r\n%b%bContent-Length: %d\r\n\r\n%b" % (path, TYPE, head, len(body), body)


class Caller:
    """A client that decides about every byte."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def answer(self) -> tuple[int, dict[str, str], bytes]:
        """Status, headers in small letters, and body of the next answer."""
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
        start, *lines = head.strip().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        return int(start.split()[1]), headers, await self.reader.readexactly(int(headers.get("content-length", "0")))

    async def over(self) -> bool:
        """Whether the server has hung up."""
        return await self.reader.read(1) == b""


@contextlib.asynccontextmanager
async def calling(client: Client) -> AsyncIterator[Caller]:
    """A connection to the service."""
    host, port = client.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        yield Caller(reader, writer)
    finally:
        writer.transport.abort()


def lanes(client: Client) -> int:
    """Connections in the fast lane."""
    return len(client.lanes.open)


@pytest.mark.parametrize(
    ("lines", "meaning"),
    [
        ((), Head(5, False, False)),
        ((b"Accept-Encoding: deflate, GZIP",), Head(5, False, True)),
        ((b"Connection: keep-alive", b"x-openrtb-version: 2.5"), Head(5, False, False)),
        ((b"Connection: close",), None),
        ((b"Transfer-Encoding: chunked",), None),
        ((b"Content-Encoding: gzip",), None),
        ((b"Expect: 100-continue",), None),
        ((b"Content-Length: 5",), None),
        ((b"Content-Type: text/xml",), None),
        ((b"Bad Name: 1",), None),
        ((b" folded: 1",), None),
        ((b"Host : b",), None),
    ],
)
def test_heads(lines: tuple[bytes, ...], meaning: Head | None) -> None:
    assert read_head(post(b"12345", *lines).partition(b"\r\n\r\n")[0]) == meaning


@pytest.mark.parametrize("length", [b"-1", b"+5", b"5 5", b"0x5", b"", b"99999999", b"1048577", b"\xb2"])
def test_lengths_that_are_none(length: bytes) -> None:
    assert read_head(b"POST /openrtb2/bid HTTP/1.1\r\nContent-Length: " + length) is None


def test_other_starts_are_not_for_this_lane() -> None:
    for start in (
        b"GET /openrtb2/bid HTTP/1.1",
        b"POST /openrtb2/bid HTTP/1.0",
        b"POST /openrtb2/bid?x=1 HTTP/1.1",
        b"",
    ):
        assert read_head(start + b"\r\nContent-Length: 5") is None
    assert read_head(b"POST /openrtb2/bid?nbr=1 HTTP/1.1\r\nContent-Length: 5") == Head(5, True, False)


def test_both_lanes_answer_the_same() -> None:
    """Every golden case, well-formed or not; `Connection: close` sends it the long way."""

    async def story(client: Client) -> None:
        told = []
        for extra in ((), (b"Connection: close",)):
            answers = []
            for body in [*SEEDS, BODY]:
                async with calling(client) as caller:
                    caller.writer.write(post(body, *extra, path=b"/openrtb2/bid?nbr=1"))
                    status, headers, text = await caller.answer()
                    await until(lambda: lanes(client) == (extra == ()))  # noqa: B023  over before the next turn
                    assert headers["x-openrtb-version"] == "2.6"
                    assert "date" in headers
                    bids = json.loads(text)["seatbid"][0]["bid"] if b"seatbid" in text else []
                    prices = [bid["price"] for bid in bids]
                    answers.append((status, headers.get("content-type"), prices, not bids and text))
            told.append(answers)
        assert told[0] == told[1]
        assert {status for status, *_ in told[0]} == {200, 400}

    served(story, desk(plan(total_nanos=10**12)))


def test_bytes_may_arrive_as_they_like() -> None:
    """One by one, many requests at once, and cut anywhere between."""

    async def story(client: Client) -> None:
        async with calling(client) as caller:
            whole = post(BODY) * 3
            caller.writer.write(whole)
            for _ in range(3):
                assert (await caller.answer())[0] == 200
            head = whole.index(b"\r\n\r\n") + 4
            for cut in (3, head - 10, head, head + 1, len(post(BODY)) - 1, len(post(BODY)) + head):
                caller.writer.write(whole[:cut])
                await asyncio.sleep(0.01)
                caller.writer.write(whole[cut:])
                for _ in range(3):
                    assert (await caller.answer())[0] == 200
            for at in range(head):
                caller.writer.write(whole[at : at + 1])
                await asyncio.sleep(0)
            caller.writer.write(whole[head:])
            for _ in range(3):
                assert (await caller.answer())[0] == 200
            assert lanes(client) == 1

    served(story, desk(plan(total_nanos=10**12)))


def test_a_connection_may_change_lanes_in_the_middle() -> None:
    async def story(client: Client) -> None:
        async with calling(client) as caller:
            caller.writer.write(post(BODY) + b"GET /healthz HTTP/1.1\r\nHost: b\r\n\r\n" + post(BODY))
            assert [(await caller.answer())[0] for _ in range(3)] == [200, 200, 200]
            assert lanes(client) == 0

    served(story)


def test_large_answers_are_packed_for_those_who_ask() -> None:
    async def story(client: Client) -> None:
        imps = [{**REQUEST["imp"][0], "id": str(k)} for k in range(4)]
        async with calling(client) as caller:
            caller.writer.write(post(json.dumps({**REQUEST, "imp": imps}).encode(), b"Accept-Encoding: gzip"))
            status, headers, body = await caller.answer()
            assert (status, headers["content-encoding"], lanes(client)) == (200, "gzip", 1)
            assert len(json.loads(gzip.decompress(body))["seatbid"][0]["bid"]) == 4

    served(story)


def test_endless_heads_and_clients_that_stop_are_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(client: Client) -> None:
        async with calling(client) as stops, calling(client) as idle, calling(client) as endless:
            stops.writer.write(post(BODY)[:-1])
            idle.writer.write(post(BODY))
            assert (await idle.answer())[0] == 200
            endless.writer.write(b"POST /openrtb2/bid HTTP/1.1\r\nX: " + b"x" * 2 * LONGEST_HEAD)
            endless.writer.write(b"\r\n\r\n")
            assert (await endless.answer())[0] == 400
            await until(lambda: any(lane.waiting for lane in client.lanes.open))
            # Only now: a slow machine may need longer than this for what is above.
            monkeypatch.setattr(lanes_module, "SLOWEST_BODY_S", 0.2)
            monkeypatch.setattr(lanes_module, "IDLE_S", 0.2)
            client.lanes._timer.cancel()  # type: ignore[union-attr]
            client.lanes._sweep()
            async with asyncio.timeout(HANG_S):
                assert (await stops.answer())[0] == 408
                assert await stops.over()
                assert await idle.over()
        await until(lambda: lanes(client) == 0)

    served(story)


def test_a_client_that_does_not_read_is_not_written_to_without_end() -> None:
    async def story(client: Client) -> None:
        async with calling(client) as caller:
            caller.writer.transport.pause_reading()  # type: ignore[attr-defined]
            for _ in range(400):
                caller.writer.write(post(BODY) * 50)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(3):
                    await caller.writer.drain()
            (lane,) = client.lanes.open
            assert lane.transport.get_write_buffer_size() < 1 << 20

    served(story, desk(plan(total_nanos=10**15)))


def test_what_cannot_be_answered_is_an_error_of_ours() -> None:
    """And the next one is answered."""

    def reply(body: bytes, came_s: float, say_why: bool) -> tuple[int, bytes]:
        if body == b"x":
            raise ValueError(body)
        return 204, b""

    async def main() -> None:
        server = await asyncio.get_running_loop().create_server(Lanes(reply, asyncio.Protocol), "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        caller = Caller(reader, writer)
        writer.write(post(b"x") + post(b"y"))
        assert [(await caller.answer())[0] for _ in range(2)] == [500, 204]
        writer.close()
        server.close()

    asyncio.run(main())


def test_answers_that_wait_for_others_are_sent_before_the_end() -> None:
    """The service ends between reading the requests and sending the answers; all of them come, then the end."""

    async def main() -> None:
        def reply(body: bytes, came_s: float, say_why: bool) -> tuple[int, bytes]:
            if body == b"0":
                asyncio.get_running_loop().call_soon(lanes.close)
            return 200, body

        lanes = Lanes(reply, asyncio.Protocol)
        server = await asyncio.get_running_loop().create_server(lanes, "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        caller = Caller(reader, writer)
        several = [str(k).encode() for k in range(lanes_module.TOGETHER + 3)]
        writer.write(b"".join(map(post, several)))
        assert [(await caller.answer())[2] for _ in several] == several
        assert await caller.over()
        writer.close()
        server.close()

    asyncio.run(main())
