"""`bidlab exchange serve` as a person meets it: a file with mistakes, a real process, a real SIGTERM."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from experiments.errors import RunError
from experiments.exchange.config import load_exchange
from tests.exchange_sim.server.market import REQUEST
from tests.patience import HANG_S

SERVE = [sys.executable, "-m", "experiments.cli", "exchange", "serve"]
BIDDERS = "bidders: {one: {url: 'http://127.0.0.1:9/bid'}}\n"


def test_a_process_sells_and_ends(tmp_path: Path) -> None:
    file = tmp_path / "exchange.yaml"
    file.write_text(f"tmax_ms: 60_000\n{BIDDERS}")
    with subprocess.Popen([*SERVE, str(file), "--port", "0"], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line.startswith("one bid at http://127.0.0.1:"), line
            body = json.dumps(REQUEST).encode()
            sent = urllib.request.Request(line.split()[-1], body, {"Content-Type": "text/plain"})
            with urllib.request.urlopen(sent, timeout=HANG_S) as answer:
                response = json.loads(answer.read())
            assert response["seatbid"] == []
            assert "one" in response["ext"]["errors"]
            process.send_signal(signal.SIGTERM)
            told, _ = process.communicate(timeout=HANG_S)
        finally:
            process.kill()
    assert process.returncode == 0
    assert told.startswith("1 auctions, 0 refused; 0 sold, 0 bids dropped, 0 time-outs")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "1: must be a mapping"),
        ("a: [", "2: the file is not YAML"),
        ("currency: EUR\n", "1: bidders: is missing"),
        ("bidders: {}\n", "1: bidders: dictionary should have at least 1 item"),
        (f"{BIDDERS}auctoin: x\n", "2: auctoin: unknown key; did you mean auction?"),
        ("bidders: {one: {ulr: 'http://a'}}\n", "did you mean url?"),
        ("bidders: {one: {url: 'ftp://a'}}\n", "1: bidders.one.url: 'ftp://a' is not allowed here"),
        (f"{BIDDERS}floor: .nan\n", "2: floor: "),
        (f"{BIDDERS}floor_rules: [{{floor: 1, fomats: [video]}}]\n", "did you mean formats?"),
        (f"{BIDDERS}floor_rules: [{{hours: [168], floor: 1}}]\n", "2: floor_rules.0.hours.0: input should be less"),
        (f"{BIDDERS}publishers: {{a: {{blocked_advertiser: [b]}}}}\n", "did you mean blocked_advertisers?"),
        (f"{BIDDERS}defaults: {{device: {{geo: 7}}}}\n", "2: defaults: would make requests invalid: device.geo"),
        (f"{BIDDERS}placements: {{a: {{bidfloor: x}}}}\n", "2: placements.a: would make requests invalid: imp[0]"),
    ],
)
def test_mistakes_are_told_with_line_and_remedy(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "exchange.yaml"
    file.write_text(text)
    with pytest.raises(RunError, match=r"exchange\.yaml") as caught:
        load_exchange(file)
    assert told in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    done = subprocess.run([*SERVE, str(tmp_path / "no.yaml")], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("bidlab: ")
    assert "cannot be read" in done.stderr
