"""Users' own strategies within a run: compiled before anything else, and their failures told at the end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow.compute as pc

from bidder.core.codes import BAD_BID, REASONS
from bidder.errors import StrategyError
from bidder.plan import CampaignPlan
from bidder.strategy import load_strategy
from experiments.errors import ScenarioError
from experiments.results.tables import Tables


def load_strategies(plans: Sequence[CampaignPlan]) -> None:
    """Run and compile every strategy the plans name; raises `ScenarioError`."""
    for plan in plans:
        if plan.bid.strategy is not None:
            try:
                load_strategy(plan.bid.strategy)
            except StrategyError as error:
                raise ScenarioError(f"campaigns.{plan.campaign_id}.strategy: {error}") from None


def failures(plans: Sequence[CampaignPlan], tables: Tables) -> Iterator[str]:
    """One sentence for each campaign whose bids could not be used, with the first reason where it is known."""
    reasons = tables["reasons"]
    rows = reasons.filter(pc.and_(pc.equal(reasons["reason"], REASONS[BAD_BID]), pc.greater(reasons["requests"], 0)))
    for row in rows.to_pylist():
        plan = next(plan for plan in plans if plan.campaign_id == row["campaign_id"])
        strategy = plan.bid.strategy
        name = f"its {plan.bid.kind} rule" if strategy is None else strategy.name
        told = load_strategy(strategy).failed if strategy is not None else []
        why = told[0] if told else "it raised, or returned NaN, a negative number or more than bid.max"
        yield f"campaign {plan.campaign_id}: {name} gave no usable bid for {row['requests']:,} requests ({why})"
