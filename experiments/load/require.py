"""Thresholds: `p99<20ms`, `timeouts<0.1%`, `rate>=1000`, `violations=0`. What can be asked is in `MEASURES`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from experiments.errors import RunError

_TEXT = re.compile(r"^\s*([a-z][a-z_0-9.]*)\s*(<=|>=|<|>|=)\s*([0-9.eE+-]+)\s*(ns|us|ms|s|%)?\s*$")
_UNITS = {"ns": 1e-6, "us": 1e-3, "ms": 1.0, "s": 1000.0}
_HOLDS: dict[str, Callable[[float, float], bool]] = {
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "=": lambda a, b: a == b,
}
LATENCIES = ("p50", "p75", "p90", "p95", "p99", "p99.9", "p99.99", "max", "mean")
COUNTS = ("timeouts", "errors", "invalid", "bids")
MEASURES = (*LATENCIES, *COUNTS, "rate", "violations")
"""Latencies in ms (or with a unit), counts as numbers or as shares of the requests sent (with %), requests per s."""


class Requirement(NamedTuple):
    """One threshold."""

    text: str
    measure: str
    sign: str
    limit: float
    share: bool

    def met(self, result: Mapping[str, Any]) -> bool:
        """Whether a run's result keeps to it."""
        return _HOLDS[self.sign](self.value(result), self.limit)

    @property
    def unit(self) -> str:
        """What stands behind the measured value."""
        if self.measure in LATENCIES:
            return " ms"
        return " %" if self.share else "/s" if self.measure == "rate" else ""

    def value(self, result: Mapping[str, Any]) -> float:
        """What the run measured, in ms, per cent, requests per second or a number (`unit`)."""
        if self.measure in LATENCIES:
            return float(result["latency_ms"][self.measure])
        if self.measure == "rate":
            return float(result["rate_per_s"])
        if self.measure == "violations":
            return float(len(result["violations"]))
        count = float(result["counts"][self.measure])
        return 100.0 * count / max(1, result["sent"]) if self.share else count


def requirement(text: str) -> Requirement:
    """Read a threshold; raises `RunError` with what may be written."""
    found = _TEXT.match(text)
    if found is None or found[1] not in MEASURES:
        raise RunError(
            f"--require {text}: is not a threshold; write for example p99<20ms or timeouts<0.1% (measures: "
            f"{', '.join(MEASURES)})"
        )
    measure, sign, number, unit = found.groups()
    try:
        limit = float(number)
    except ValueError:
        raise RunError(f"--require {text}: {number!r} is not a number") from None
    if measure in LATENCIES:
        if unit is None or unit == "%":
            raise RunError(f"--require {text}: a latency needs a unit; write for example {measure}{sign}{number}ms")
        return Requirement(text, measure, sign, limit * _UNITS[unit], share=False)
    if unit not in (None, "%") or (unit == "%" and measure not in COUNTS):
        raise RunError(f"--require {text}: {measure} has no unit {unit}")
    return Requirement(text, measure, sign, limit, share=unit == "%")
