"""`bidlab bidder serve` as a person meets it: a real process, a real port, a real SIGTERM."""

from __future__ import annotations

import errno
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.patience import HANG_S, wait_until

SERVE = [sys.executable, "-m", "experiments.cli", "bidder", "serve", "learning", "--set", "people.count=500"]
REQUEST = {
    "id": "r",
    "imp": [
        {"id": "1", "banner": {"w": 728, "h": 90}, "tagid": "morning-paper/top", "bidfloor": 0.5, "bidfloorcur": "EUR"}
    ],
    "site": {"publisher": {"id": "morning-paper"}},
    "device": {"devicetype": 2, "geo": {"city": "everywhere"}},
    "user": {"id": "p1"},
}


@contextmanager
def service(*options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The process and its address; killed at the end if it still runs."""
    changes = ("campaigns.awareness.pacing=asap", "wire.reservation_s=3000")
    # A loaded machine's event loop is late; shedding has tests of its own.
    command = [*SERVE, *(part for change in changes for part in ("--set", change)), "--shed-ms", "0", "--port", "0"]
    command += options
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line.startswith("learning bids at http://127.0.0.1:"), line
            yield process, line.split()[-1].removesuffix("/openrtb2/bid")
        finally:
            if process.poll() is None:
                process.kill()


def call(url: str, body: bytes | None = None) -> tuple[int, bytes]:
    """Status and body of a POST, or of a GET without *body*."""
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=HANG_S) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, refused.read()


def test_sigterm_waits_for_the_bill_and_takes_no_more_requests() -> None:
    with service("--drain-s", str(10 * HANG_S)) as (process, url):
        assert call(f"{url}/readyz")[0] == 200
        status, body = call(f"{url}/openrtb2/bid", json.dumps(REQUEST).encode())
        assert status == 200
        bid = json.loads(body)["seatbid"][0]["bid"][0]
        assert call(f"{url}/openrtb2/bid", b"{")[0] == 400
        process.send_signal(signal.SIGTERM)
        wait_until(lambda: call(f"{url}/readyz")[0] == 503)
        assert call(f"{url}/openrtb2/bid", json.dumps(REQUEST).encode())[0] == 204
        assert call(bid["burl"].replace("${AUCTION_PRICE}", "2.0"))[0] == 204
        out, err = process.communicate(timeout=HANG_S)
        assert (process.returncode, err) == (0, "")
        assert "1 requests, 1 malformed, 0 too late; 1 bids, 1 billed, 0 expired, 0 bad notices" in out
        assert "0.002000000 of" in out


def test_a_second_signal_ends_the_wait() -> None:
    with service("--drain-s", str(10 * HANG_S), "--public-url", "https://bids.example/") as (process, url):
        _, body = call(f"{url}/openrtb2/bid", json.dumps(REQUEST).encode())
        assert b"https://bids.example/openrtb2/notice/billing?" in body
        process.send_signal(signal.SIGINT)
        wait_until(lambda: call(f"{url}/readyz")[0] == 503)
        time.sleep(0.3)
        assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=HANG_S) == 0


def test_workers_need_a_place_to_share_their_budgets() -> None:
    done = subprocess.run([*SERVE, "--workers", "2"], capture_output=True, text=True, timeout=HANG_S)
    assert done.returncode == 1
    assert done.stderr == "bidlab: --workers 2: workers share their budgets on disk; say where with --state FOLDER\n"


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_port_that_is_taken_is_said_in_one_line(workers: str, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        options = ["--port", port, "--workers", workers, "--state", str(tmp_path)]
        done = subprocess.run([*SERVE, *options], capture_output=True, text=True, timeout=HANG_S)
    assert done.returncode == 1
    reason = os.strerror(errno.EADDRINUSE)
    assert done.stderr == f"bidlab: 127.0.0.1:{port} cannot be served ({reason}); choose another --host or --port\n"
