"""`--find-max`: the highest rate that keeps to the thresholds: doubled or halved until one holds and one does not, then
the gap between the two is halved (on a scale of ratios).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from experiments.load.require import Requirement

CLOSE = 1.05
"""The search ends when the lowest rate that failed is within this factor of the highest that held."""
LOWEST_PER_S = 1.0
"""If even this fails, the search gives up."""
KEPT_UP = 0.98
"""Share of the asked rate that must have been sent: below it the generator was the limit, not the bidder."""


class Step(NamedTuple):
    """One rate that was tried."""

    rate_per_s: float
    held: bool
    why: str
    result: dict[str, Any]


def find_max(
    run_at: Callable[[float], dict[str, Any]], first_per_s: float, requirements: Sequence[Requirement]
) -> tuple[Step | None, list[Step]]:
    """The best step, or None when not even `LOWEST_PER_S` held, and every step in the order tried."""
    steps: list[Step] = []
    held, failed, rate = None, float("inf"), first_per_s
    while True:
        step = _judge(rate, run_at(rate), requirements)
        steps.append(step)
        if step.held:
            held = step
        else:
            failed = rate
        if held is None:
            if rate <= LOWEST_PER_S:
                return None, steps
            rate = max(LOWEST_PER_S, rate / 2.0)
        elif failed <= held.rate_per_s * CLOSE:
            return held, steps
        else:
            rate = held.rate_per_s * 2.0 if failed == float("inf") else (held.rate_per_s * failed) ** 0.5


def _judge(rate_per_s: float, result: dict[str, Any], requirements: Sequence[Requirement]) -> Step:
    broken = [f"{r.text} (it is {r.value(result):.4g})" for r in requirements if not r.met(result)]
    expected = rate_per_s * (result["asked"]["duration_s"] - result["asked"]["ramp_s"] / 2.0)
    # Poisson: three standard deviations fewer are luck.
    if result["sent"] < KEPT_UP * expected - 3.0 * expected**0.5:
        broken.append("the generator did not keep up")
    if not result["sent"]:
        broken.append("nothing was sent, the step is too short")
    return Step(rate_per_s, not broken, "; ".join(broken), result)
