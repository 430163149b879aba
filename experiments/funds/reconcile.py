"""Planned, delivered, billed: a plan beside a finished run, the differences explained by the run's own reasons."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from experiments.report.words import fate_name, money
from experiments.results.run_directory import Run, read_run
from experiments.scenario.loader import load
from experiments.scenario.models import Scenario
from openrtb.money import units_to_nanos

OUTCOMES = ("won", "not_targeted")
"""Reasons that explain no gap: bought, or never meant."""
SMALL = 0.005
"""A gap below this share of the plan is on plan."""


def reconcile(plan: Scenario, run: Run) -> list[dict[str, Any]]:
    """Rows of the table `reconciliation`: campaigns of the plan first, then those only the run has."""
    campaigns = {row["campaign_id"]: row for row in run.tables["campaigns"].to_pylist()}
    reasons: dict[str, dict[str, int]] = {}
    for row in run.tables["reasons"].to_pylist():
        reasons.setdefault(row["campaign_id"], {})[row["reason"]] = row["requests"]
    names = [*plan.campaigns, *(name for name in campaigns if name not in plan.campaigns)]
    return [_row(name, plan, campaigns.get(name), reasons.get(name, {})) for name in names]


def read_both(plan: str, folder: Path) -> tuple[Scenario, Run]:
    """A scenario as the plan, and a run's folder; raises `ScenarioError` or `RunError`."""
    return load(plan), read_run(folder)


def _row(name: str, plan: Scenario, row: dict[str, Any] | None, reasons: dict[str, int]) -> dict[str, Any]:
    planned = units_to_nanos(plan.campaigns[name].budget.total) if name in plan.campaigns else 0
    delivered, billed = (row["spend_nanos"], row["billed_nanos"]) if row else (0, 0)
    held = {reason: count for reason, count in reasons.items() if reason not in OUTCOMES and count}
    reason = max(held, key=lambda key: (held[key], key)) if held else ""
    return {
        "campaign_id": name,
        "planned_nanos": planned,
        "delivered_nanos": delivered,
        "billed_nanos": billed,
        "gap_nanos": planned - delivered,
        "unbilled_nanos": delivered - billed,
        "reason": reason,
        "reason_requests": held.get(reason, 0),
        "explanation": _explained(name, plan, row, reason, held, planned),
    }


def _explained(
    name: str, plan: Scenario, row: dict[str, Any] | None, reason: str, held: dict[str, int], planned: int
) -> str:
    if row is None:
        return "planned, but not in the run"
    if name not in plan.campaigns:
        return "ran, but is not in the plan"
    gap, parts = planned - row["spend_nanos"], []
    if row["budget_nanos"] != planned:
        parts.append(f"the run's budget was {money(row['budget_nanos'] / 1e9, plan.currency)}, not the plan's")
    if abs(gap) <= SMALL * planned:
        parts.append("on plan")
    elif gap > 0:
        why = (
            f"most requests it wanted ended as: {fate_name(reason)} ({held[reason]:,})"
            if reason
            else "nothing was on offer"
        )
        parts.append(f"under plan by {gap / planned:.0%}; {why}")
    else:
        parts.append(f"over plan by {-gap / planned:.0%}")
    if row["spend_nanos"] != row["billed_nanos"]:
        lost = money((row["spend_nanos"] - row["billed_nanos"]) / 1e9, plan.currency)
        parts.append(f"{lost} bought and never billed, because win notices were lost")
    return "; ".join(parts)
