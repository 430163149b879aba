"""A long run of broken requests: `make fuzz`, or `python -m tests.fuzz.series [INPUTS] [SEED]`.

Each goes through everything between an HTTP body and its answer. Counted are answers by status; anything but 200, 204
and 400, an answer that is no OpenRTB response, an input that takes a second of the processor or memory that grows: exit
code 1.
"""

from __future__ import annotations

import itertools
import resource
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import experiments  # noqa: F401  before any kernel
from bidder.plan import CapPlan, TargetPlan
from bidder.server.app import Service
from bidder.server.signing import Signer
from openrtb.decode import decode_response
from tests.bidder.test_creatives import ad
from tests.bidder.test_desk import Clock, desk, plan
from tests.fuzz.inputs import bodies

STEP_S = 0.5
"""Time that passes between two inputs: what is kept for a while is soon in balance."""
SLOWEST_S = 1.0
WARM = 50_000
"""Inputs after which memory must no longer grow."""
ROOM_MIB = 32.0
"""By how much it may nevertheless."""


class Fuzzed:
    """A service and its clock."""

    def __init__(self) -> None:
        self.clock = Clock()
        rich = {"total_nanos": 10**15, "end_s": 1e9}
        own = (ad("banner", size=(300, 250), categories=("IAB1",), attributes=(1,)), ad("video", duration_s=15))
        made = desk(
            plan(**rich),
            plan(campaign_id="own", creatives=own, caps=(CapPlan(3, 3600.0, True),), **rich),
            plan(campaign_id="cooks", target=TargetPlan(any_segments=("cooks",), deals=("deal-1",)), **rich),
            clock=self.clock,
        )
        self.service = Service(made, Signer(time.time), currency="USD", public_url="http://b.example")

    def answer(self, body: bytes) -> int:
        """Status of the answer; raises when it is none."""
        self.clock.now_s += STEP_S
        began = time.thread_time()  # on the processor: what others take of this machine is not counted
        status, text = self.service.reply(body, time.monotonic(), True)
        took_s = time.thread_time() - began
        assert status in (200, 204, 400), status
        assert took_s < SLOWEST_S, f"took {took_s:.1f} s"
        if status == 200:
            decode_response(text)
        return status


@dataclass
class Report:
    """What a series found."""

    statuses: Counter[int] = field(default_factory=Counter)
    bids: int = 0
    mib: list[float] = field(default_factory=list)
    """Resident memory after every tenth of the inputs."""
    failed: list[tuple[bytes, str]] = field(default_factory=list)

    @property
    def grown_mib(self) -> float:
        """How much memory grew once warm."""
        return self.mib[-1] - self.mib[0] if self.mib else 0.0


def resident_mib() -> float:
    """Memory in use now; the most there ever was where the system does not tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
        return pages * resource.getpagesize() / 2**20
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0


def run(inputs: int, seed: int) -> Report:
    """Send *inputs* bodies."""
    fuzzed, report = Fuzzed(), Report()
    for k, body in enumerate(itertools.islice(bodies(seed), inputs)):
        try:
            report.statuses[fuzzed.answer(body)] += 1
        except Exception as error:
            report.failed.append((body, repr(error)))
            if len(report.failed) == 10:
                break
        if k >= WARM and k % max(1, inputs // 10) == 0:
            report.mib.append(resident_mib())
    report.mib.append(resident_mib())
    report.bids = fuzzed.service.desk.counts.bids
    return report


def main() -> int:
    """Run and say what was found."""
    inputs = int(float(sys.argv[1])) if len(sys.argv) > 1 else 1_000_000
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    began = time.monotonic()
    report = run(inputs, seed)
    counts = ", ".join(f"{count:,} × {status}" for status, count in sorted(report.statuses.items()))
    print(f"{report.statuses.total():,} inputs in {time.monotonic() - began:,.0f} s: {counts}; {report.bids:,} bids")
    print("memory (MiB): " + " ".join(f"{mib:.0f}" for mib in report.mib))
    for body, error in report.failed:
        print(f"FAILED {error}: {body!r}")
    if report.grown_mib > ROOM_MIB:
        print(f"FAILED: memory grew by {report.grown_mib:.0f} MiB")
    return 1 if report.failed or report.grown_mib > ROOM_MIB else 0


if __name__ == "__main__":
    sys.exit(main())
