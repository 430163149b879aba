"""What keeping competitors apart costs: the same pages and luck with nothing, advertisers or categories kept apart."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, get_args

from experiments.compile.pages import sells_pages
from experiments.errors import ScenarioError
from experiments.scenario.models import Scenario
from experiments.scenario.selling import Separation

Data = dict[str, Any]


def kept_apart(separation: str, data: Data) -> Data:
    """Every page of the scenario keeps the same apart."""
    for publisher in data["publishers"].values():
        for page in publisher["pages"].values():
            page["separation"] = separation
    return data


def separations_of(scenario: Scenario) -> dict[str, Callable[[Data], Data]]:
    """The variants of a scenario; raises `ScenarioError` where nobody sells pages."""
    if not sells_pages(scenario):
        message = "nobody sells pages here; give a publisher some, for example {article: {slots: [top, side]}}"
        raise ScenarioError(f"publishers: {message} under pages, or choose sell-by-page")
    return {name: partial(kept_apart, name) for name in get_args(Separation)}
