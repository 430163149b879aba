"""What people type for a range of values: `1,2,5`, `10:100:10` (the end included) or `10:1000:*2` (by a factor)."""

from __future__ import annotations

import math
import re
from typing import Any

from experiments.errors import SweepError
from experiments.scenario.document import NotYaml, parse

MOST_VALUES = 100_000
_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_RANGE = re.compile(rf"({_NUMBER}):({_NUMBER}):(\*?)({_NUMBER})")


def split_values(option: str, text: str) -> list[Any]:
    """The values of *text* as YAML has them; raises `SweepError` naming *option*."""
    match = _RANGE.fullmatch(text.strip())
    if match:
        return _steps(option, text, float(match[1]), float(match[2]), bool(match[3]), float(match[4]))
    if not text.strip():
        raise SweepError(f"{option} {text}: names no value; write for example 10,20,50 or 10:100:10")
    try:
        document = parse(f"[{text}]")
    except NotYaml as error:
        raise SweepError(f"{option} {text}: is no list of values ({error}); write for example 10,20,50") from None
    values: list[Any] = document.data
    if not values or len(values) > MOST_VALUES:
        raise SweepError(f"{option} {text}: wants 1 to {MOST_VALUES:,} values, not {len(values):,}")
    return values


def numbers(option: str, text: str, lowest: float = 0.0) -> list[float]:
    """Rising numbers above *lowest* without repetition; raises `SweepError`."""
    found = []
    for value in split_values(option, text):
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise SweepError(f"{option} {text}: {value!r} is not a number")
        if value <= lowest:
            raise SweepError(f"{option} {text}: every value must be above {lowest:g}, not {value:g}")
        found.append(float(value))
    return sorted(set(found))


def _steps(option: str, text: str, low: float, high: float, by_factor: bool, step: float) -> list[Any]:
    if high < low:
        raise SweepError(f"{option} {text}: the end ({high:g}) is below the beginning ({low:g})")
    if by_factor and (low <= 0 or step <= 1):
        raise SweepError(f"{option} {text}: growing by a factor wants a beginning above 0 and a factor above 1")
    if not by_factor and step <= 0:
        raise SweepError(f"{option} {text}: the step must be above 0")
    count = math.log(high / low) / math.log(step) if by_factor else (high - low) / step
    if count >= MOST_VALUES:
        raise SweepError(f"{option} {text}: that is more than {MOST_VALUES:,} values; take larger steps")
    values = [low * step**k if by_factor else low + k * step for k in range(math.floor(count + 1e-9) + 1)]
    tidy = [float(f"{value:.12g}") for value in values]
    whole = all(value.is_integer() for value in tidy) and not re.search(r"[.eE]", text)
    return [int(value) for value in tidy] if whole else tidy
