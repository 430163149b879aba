"""The small HTTP client against real servers: kept, closed, chunked, packed, stalling and broken answers."""

from __future__ import annotations

import asyncio
import gzip

import pytest

from experiments.load.client import Job, Pool, Poster, get_of
from tests.patience import HANG_S, until

Answer = tuple[int, bytes, str]


def asked(
    answers: list[list[bytes]], jobs: int, connections: int = 1, give_up_s: float = HANG_S
) -> tuple[list[Answer], Pool]:
    """Answers to *jobs* posts by a server that sends each connection the given pieces, one list per request.

    An empty piece makes the server hang up, `...` as text makes it wait for ever.
    """
    left = iter(answers)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readuntil(b"\r\n\r\n"):
            length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
            await reader.readexactly(length)
            for piece in next(left):
                if piece == b"...":
                    await asyncio.sleep(3600)
                if not piece:
                    writer.close()
                    return
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0.005)

    async def quiet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            writer.close()

    async def main() -> tuple[list[Answer], Pool]:
        server = await asyncio.start_server(quiet, "127.0.0.1", 0)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/bid?x=1"
        pool = Pool(url, connections, give_up_s)
        await pool.open()
        got: list[Answer] = []
        moment_s = asyncio.get_running_loop().time()  # the same for all: who is given up is given up with the others
        for _ in range(jobs):
            pool.send(Job(Poster(url).message(b"{}"), moment_s, lambda j, s, b, w: got.append((s, b, w)), None))
        await until(lambda: len(got) == jobs)
        pool.close()
        server.close()
        return got, pool

    return asyncio.run(main())


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def test_one_connection_answers_one_after_another() -> None:
    got, pool = asked([[OK], [OK[:9], OK[9:38], OK[38:]], [b"HTTP/1.1 204 No Content\r\n\r\n"]], 3)
    assert got == [(200, b"ok", ""), (200, b"ok", ""), (204, b"", "")]
    assert (pool.opened, pool.reopened) == (1, 0)


def test_chunks_and_packed_bodies() -> None:
    head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
    packed = gzip.compress(b"hello")
    answers = [
        [head + b"3\r\nabc\r\n", b"2;x=y\r\nde\r\n0\r", b"\n\r\n"],
        [b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%b" % (len(packed), packed)],
    ]
    assert asked(answers, 2)[0] == [(200, b"abcde", ""), (200, b"hello", "")]


def test_a_closed_connection_is_replaced() -> None:
    answers = [
        [b"HTTP/1.1 503 Busy\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"],
        [b"HTTP/1.0 200 OK\r\n\r\nuntil the end", b""],
        [b""],
        [OK],
    ]
    got, pool = asked(answers, 4)
    assert got[0] == (503, b"", "")
    assert got[1] == (200, b"until the end", "")
    assert got[2] == (0, b"", "the connection was closed")
    assert got[3] == (200, b"ok", "")
    assert pool.opened == 4


@pytest.mark.parametrize(
    ("pieces", "why"),
    [
        ([b"SSH-2.0-hello\r\n\r\n"], "an answer that is not HTTP"),
        ([b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n"], "an answer that is not HTTP"),
        ([b"HTTP/1.1 200 OK\r\nx: " + b"y" * 70_000], "an endless header"),
        ([b"..."], "no answer"),
        ([OK[:-1], b"..."], "no answer"),
    ],
)
def test_what_is_no_answer_ends_the_job(pieces: list[bytes], why: str) -> None:
    got, _ = asked([pieces, [OK]], 2, give_up_s=0.5 if b"..." in pieces else HANG_S)
    assert got[0] == (0, b"", why)


def test_what_finds_no_connection_is_given_up_too() -> None:
    got, _ = asked([[b"..."], [OK]], 3, give_up_s=0.3)
    assert [why for _, _, why in got] == ["no answer", *["never sent: no connection was free"] * 2]


def test_messages() -> None:
    assert Poster("http://h:81/a%20b?c=d").message(b"{}").startswith(b"POST /a%20b?c=d HTTP/1.1\r\nHost: h:81\r\n")
    assert get_of("https://h/n?p=1%2B").startswith(b"GET /n?p=1%2B HTTP/1.1\r\nHost: h\r\n")
