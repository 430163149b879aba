"""A capture of a bidder under load, with faults: repeated on a fresh desk every decision is the same, bit for bit."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bidder.errors import CaptureError
from bidder.server.capture import Capture, Verified, digest, verify
from bidder.server.captured import Header
from bidder.server.serve import WallClock
from experiments.cli.serve import serve
from experiments.cli.verify import fresh_desk
from experiments.errors import RunError
from experiments.load.feedback import NoticeFaults, Ratios
from experiments.load.run import LoadRun, LoadSpec
from experiments.load.traffic import Contents, Pace
from experiments.load.watch import Watch
from experiments.scenario.loader import dump_yaml
from experiments.setting import Setting
from tests.command_line import bidlab
from tests.experiments.served import bidder_served, small_setting
from tests.experiments.test_serve_command import REQUEST, call
from tests.patience import HANG_S, NO_LIMIT_MS

pytestmark = pytest.mark.slow
RESERVATION_S = 2.0
"""Bills that are late on purpose come after it; on a loaded machine the first losses still come before."""
BIDLAB = [sys.executable, "-m", "experiments.cli"]


@pytest.fixture(scope="module")
def captured(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int, str]:
    """The file, the requests that reached the desk, and the final book's digest."""
    setting = small_setting(f"wire.reservation_s={RESERVATION_S}")
    path = tmp_path_factory.mktemp("capture") / "calls.jsonl"

    async def main() -> tuple[int, str]:
        capture = Capture(path, Header(dump_yaml(setting.scenario)))
        clock = WallClock()
        desk = capture.desk(*_of(setting), clock=clock, reservation_s=RESERVATION_S, currency=setting.scenario.currency)
        clock.start()
        desk.tick()
        async with bidder_served(setting, desk) as service:
            spec = LoadSpec(
                f"{service.public_url}/openrtb2/bid",
                *(Pace(150.0, 1.5), 8, HANG_S, HANG_S, "EUR", Ratios(0.7, 1.0)),
                notice_faults=NoticeFaults(lost=0.2, late=0.2, duplicate=0.2, forged=0.1, late_s=RESERVATION_S + 0.5),
            )
            await LoadRun(spec, Contents(setting, NO_LIMIT_MS), Watch(setting.plans)).run()
        desk.tick()
        desk.expire(clock() + 10.0)
        capture.close()
        assert min(desk.counts.wins, desk.counts.losses, desk.counts.expired, desk.counts.repeated) > 3
        return desk.counts.requests, digest(desk.book)

    return path, *asyncio.run(main())


def _of(setting: Setting) -> tuple[object, ...]:
    return setting.new_book(), setting.plans, setting.directory, setting.audience


def verified(path: Path) -> Verified:
    """The outcome of repeating a capture."""
    return asyncio.run(verify(path, fresh_desk))


def test_every_decision_and_the_book_are_reproduced(captured: tuple[Path, int, str]) -> None:
    path, requests, book = captured
    held = verified(path)
    assert held.complete
    assert held.requests == requests > 150
    assert held.bids > 50
    assert held.notices > held.bids / 2
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert lines[-1] == {"type": "end", "book": book}
    assert sum(line["type"] == "bid" for line in lines) == requests


def changed(path: Path, to: Path, kind: str, **changes: object) -> Path:
    """A copy with the first line of a kind changed that has what is to be changed."""
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    line = next(line for line in lines if line["type"] == kind and (kind != "bid" or line["bids"]))
    line.update(changes)
    to.write_text("".join(json.dumps(each) + "\n" for each in lines))
    return to


@pytest.mark.parametrize(
    ("kind", "changes"), [("bid", {"nbr": 7}), ("bid", {"bids": []}), ("notice", {"heard": 3}), ("end", {"book": "x"})]
)
def test_a_decision_that_differs_is_told(
    captured: tuple[Path, int, str], tmp_path: Path, kind: str, changes: dict[str, object]
) -> None:
    with pytest.raises(CaptureError, match=r"changed\.jsonl:\d+: differs: captured "):
        verified(changed(captured[0], tmp_path / "changed.jsonl", kind, **changes))


def test_another_bid_price_in_the_scenario_is_told(captured: tuple[Path, int, str], tmp_path: Path) -> None:
    text = captured[0].read_text().replace("price: 2.0", "price: 2.1", 1)
    (tmp_path / "other.jsonl").write_text(text)
    with pytest.raises(CaptureError, match="differs"):
        verified(tmp_path / "other.jsonl")


def test_what_a_killed_service_leaves_can_be_repeated(captured: tuple[Path, int, str], tmp_path: Path) -> None:
    cut = tmp_path / "cut.jsonl"
    cut.write_bytes(captured[0].read_bytes()[:-500])
    held = verified(cut)
    assert not held.complete
    assert held.requests > 100


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "is no capture of format 1"),
        ('{"type":"tick","clock":[0]}\n', "is no capture of format 1"),
        ('{"type":"header","scenario_yaml":"","format":2}\n', "is no capture of format 1"),
        ("hello\n", ":1: is no line of a capture"),
    ],
)
def test_what_is_no_capture_is_told(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "x").write_text(text)
    with pytest.raises(CaptureError, match=told):
        verified(tmp_path / "x")
    with pytest.raises(CaptureError, match="cannot be read"):
        verified(tmp_path / "absent")


@pytest.mark.parametrize("workers", [1, 2])
def test_the_commands(tmp_path: Path, workers: int) -> None:
    """Each of several workers has a file of its own, and each file is reproduced."""
    command = [*BIDLAB, "bidder", "serve", "learning", "--set", "people.count=500", "--port", "0"]
    command += [
        "--set",
        "campaigns.awareness.pacing=asap",
        "--drain-s",
        "0",
        "--shed-ms",
        "0",
        "--capture",
        str(tmp_path / "calls.jsonl"),
    ]
    if workers > 1:
        command += ["--workers", str(workers), "--state", str(tmp_path / "state")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().split()[-1]
        for k in range(8):  # each on a connection of its own, so that both workers may be asked
            user = {"id": f"p{k}"}
            status, body = call(url, json.dumps({**REQUEST, "user": user}).encode())
            assert status == 200
            burl = json.loads(body)["seatbid"][0]["bid"][0]["burl"]
            assert call(burl.replace("${AUCTION_PRICE}", "2.0"))[0] == 204
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=HANG_S)
    names = ["calls.jsonl"] if workers == 1 else [f"calls-{number}.jsonl" for number in range(1, workers + 1)]
    assert sorted(path.name for path in tmp_path.glob("*.jsonl")) == names
    requests = 0
    for name in names:
        done = bidlab(tmp_path, "bidder", "verify", name)
        assert "every decision and the final book are the same" in done.stdout, done
        requests += int(done.stdout.split(": ")[1].split()[0])
    assert requests == 8


def test_what_cannot_be_captured_is_told(captured: tuple[Path, int, str], tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match="is already there, and a capture overwrites nothing"):
        Capture(captured[0], Header(""))
    with pytest.raises(CaptureError, match="cannot be written"):
        Capture(tmp_path / "no" / "folder", Header(""))
    (tmp_path / "token").write_text("0123456789abcdef")
    with pytest.raises(RunError, match="keeps its campaigns; leave out --admin-token-file"):
        serve("learning", capture=tmp_path / "calls.jsonl", admin_token_file=tmp_path / "token")
