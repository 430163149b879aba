"""The grid of a sweep: every combination of settings, under every seed."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError

from experiments.errors import ScenarioError, SweepError
from experiments.scenario.loader import load, load_text
from experiments.scenario.models import Scenario
from experiments.scenario.overrides import BadOverride, apply
from experiments.sweep.cell import Cell, Failure
from experiments.sweep.values import split_values

MOST_CELLS = 1_000_000


class Point(NamedTuple):
    """One combination: its settings, its seed, and the cell, or why there is none."""

    settings: dict[str, Any]
    seed: int
    cell: Cell | Failure


def varied(base: Scenario, changes: Mapping[str, Any]) -> Scenario:
    """*base* with settings changed by their paths; raises `ScenarioError` in the words of `--set`."""
    data = base.model_dump(mode="json")
    try:
        for path, value in changes.items():
            data, _ = apply(data, path, value)
        return Scenario.model_validate(data)
    except BadOverride as error:
        raise ScenarioError(str(error)) from None
    except ValidationError:
        # The loader knows how to say what is wrong, and takes its time for it.
        text = json.dumps(base.model_dump(mode="json"))
        load_text(text, base.name, [f"{path}={json.dumps(value)}" for path, value in changes.items()])
        raise


def seeds_from(first: int, count: int) -> list[int]:
    """*count* seeds counted from the scenario's own."""
    if count < 1:
        raise SweepError(f"--seeds {count}: must be a whole number from 1")
    return [(first + k) % 2**63 for k in range(count)]


def split_vary(text: str) -> tuple[str, list[Any]]:
    """Path and values of one `--vary`; raises `SweepError`."""
    path, equals, values = text.partition("=")
    if not equals or not path.strip():
        raise SweepError(f"--vary {text}: is not path=values; write for example days=1,2,3")
    return path.strip(), split_values(f"--vary {path.strip()}=", values)


def grid(base: Scenario, vary: Sequence[str], seeds: int) -> list[Point]:
    """Every point, settings first, seeds innermost. A combination the scenario refuses becomes a `Failure`."""
    axes = [split_vary(text) for text in vary]
    if len({path for path, _ in axes}) < len(axes):
        raise SweepError("--vary: the same path twice; list all its values once")
    seed_list = seeds_from(base.seed, seeds)
    count = len(seed_list)
    for _, values in axes:
        count *= len(values)
    if count > MOST_CELLS:
        raise SweepError(f"--vary: that makes {count:,} cells; {MOST_CELLS:,} is the most")
    points = []
    for chosen in itertools.product(*(values for _, values in axes)):
        settings = {path: value for (path, _), value in zip(axes, chosen, strict=True)}
        try:
            scenario = varied(base, settings)
        except ScenarioError as error:
            points += [Point(settings, seed, Failure("mistake", str(error))) for seed in seed_list]
            continue
        points += [Point(settings, seed, Cell(scenario.model_copy(update={"seed": seed}))) for seed in seed_list]
    if all(isinstance(point.cell, Failure) for point in points):
        failure = points[0].cell
        assert isinstance(failure, Failure)
        raise SweepError(f"no combination makes a scenario; the first says: {failure.message}")
    return points


def load_base(source: str | Path, overrides: Sequence[str]) -> Scenario:
    """The scenario a sweep starts from."""
    return load(source, list(overrides))
