"""Campaigns whose target kept them from buying, told at the end of a run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bidder.core.codes import REASONS
from bidder.plan import CampaignPlan
from experiments.results.tables import Tables

MOSTLY = 0.9
"""Share of a campaign's chances that must lie below the floor before a run speaks of its target."""


def missed_targets(plans: Sequence[CampaignPlan], tables: Tables) -> Iterator[str]:
    """One sentence for each campaign whose target kept nearly all its bids below the floors."""
    counts: dict[str, dict[str, int]] = {}
    for row in tables["reasons"].to_pylist():
        counts.setdefault(row["campaign_id"], {})[row["reason"]] = row["requests"]
    for plan in plans:
        if plan.pacing.target <= 0.0 and plan.goal != "roas":
            continue
        reasons = counts.get(plan.campaign_id, {})
        asked = sum(reasons.get(name, 0) for name in REASONS[REASONS.index("bad_bid") :])
        low = reasons.get("below_floor", 0) + reasons.get("no_value", 0)
        if asked > 0 and low >= MOSTLY * asked:
            yield (
                f"campaign {plan.campaign_id}: its target was out of reach: for {low:,} of {asked:,} requests the "
                f"highest bid it allows lay below the floor; raise the target, or its rates if those are too low"
            )
