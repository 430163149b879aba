"""`bidlab validate`: is a scenario in order, and what is in it?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from experiments.errors import ScenarioError

if TYPE_CHECKING:
    from experiments.scenario.models import Scenario

Setting = Annotated[list[str] | None, typer.Option("--set", metavar="PATH=VALUE", help="Change one setting.")]


def validate(
    scenario: Annotated[str | None, typer.Argument(help="A scenario file, or the name of a shipped one.")] = None,
    settings: Setting = None,
    schema: Annotated[bool, typer.Option("--schema", help="Print the JSON Schema of scenario files.")] = False,
) -> None:
    """Check a scenario; report every mistake at once, each with its line and a remedy."""
    from experiments.scenario.loader import load
    from experiments.scenario.schema import schema_text

    if schema:
        print(schema_text(), end="")
    elif scenario is None:
        raise ScenarioError("name a scenario file, for example `bidlab validate scenario.yaml`")
    else:
        plan = load(scenario, settings or [])
        print(f"OK: {summary(plan)}{''.join(lateness(plan))}")


def summary(scenario: Scenario) -> str:
    """One paragraph: people, requests, campaigns and budgets."""
    from experiments.compile.pages import requests_per_arrival

    people, campaigns = scenario.people, scenario.campaigns
    slots = [slot.format for publisher in scenario.publishers.values() for slot in publisher.slots.values()]
    total = sum(campaign.budget.total for campaign in campaigns.values())
    names = ", ".join(list(campaigns)[:12]) + (", ..." if len(campaigns) > 12 else "")
    bound = [name for name, campaign in campaigns.items() if campaign.budget.daily is not None]
    return (
        f"{scenario.name} runs {_count(scenario.days, 'day')} from {scenario.start:%Y-%m-%d %H:%M} with "
        f"{_people(people.count)} ({people.consent_share:.0%} consent) and about "
        f"{scenario.traffic.requests_per_day * scenario.days * requests_per_arrival(scenario):,.0f} requests from "
        f"{_count(len(scenario.publishers), 'publisher')} in {', '.join(sorted(set(slots)))}. "
        f"{_count(len(campaigns), 'campaign')} ({names}) "
        f"may spend {total:,.10g} {scenario.currency} in all, {len(bound)} of them with a daily limit, in "
        f"{scenario.auction.kind.replace('_', '-')} auctions."
    )


def lateness(scenario: Scenario) -> Iterator[str]:
    """A sentence for each deal paced evenly, where requests come steadily: how many may be late."""
    from experiments.scenario.guarantees import late_at_most
    from experiments.scenario.selling_rules import promises

    if scenario.traffic.hours != "flat":
        return
    for told in promises(scenario.model_dump()):
        if scenario.deals[told.name].pace == "even":
            late = late_at_most(told.left, told.owed, told.probability)
            if late is not None:
                yield (
                    f" Of the {told.owed:,.0f} impressions of {told.name}, at most {late:,} are late with probability "
                    f"{told.probability:g}, if its buyer takes what it is offered."
                )


def _count(number: float, noun: str) -> str:
    return f"{number:,g} {noun}{'' if number == 1 else 's'}"


def _people(number: int) -> str:
    return "1 person" if number == 1 else f"{number:,} people"
