"""An allocation as a table, a figure and sentences. Money in units of the currency."""

from __future__ import annotations

from typing import Any

import numpy as np

from experiments.funds.allocate import Allocation, Proof
from experiments.report.plots import style
from experiments.report.plots.style import Plot
from experiments.report.words import clip, money


def rows_of(allocation: Allocation) -> list[dict[str, Any]]:
    """A row per campaign: before, after, and what the curve expects of both."""
    rows = []
    for k, (name, curve) in enumerate(allocation.curves.items()):
        fit, margin = curve.fits[0] if curve.fits else None, curve.points.margin
        before, after = allocation.before.spend[k], allocation.after.spend[k]
        rows.append(
            {
                "campaign_id": name,
                "family": fit.family if fit else "",
                "budget_before": curve.points.question.current,
                "budget_after": allocation.budgets[name],
                "spend_before": before,
                "spend_after": after,
                "value_before": float(fit(before)) if fit and before > 0 else 0.0,
                "value_after": float(fit(after)) if fit and after > 0 else 0.0,
                "marginal_romi_after": margin * float(fit.slope(after)) - 1.0 if fit and after > 0 else None,
            }
        )
    return rows


def in_words(allocation: Allocation, proof: Proof, currency: str) -> list[str]:
    """Expected and measured difference."""
    spent = sum(allocation.after.spend)
    lines = [
        f"The curves expect {_signed(allocation.expected, currency)} of value from spending {money(spent, currency)}."
    ]
    sure = ""
    if proof.value.low is not None:
        sure = f" (95 %: {_signed(proof.value.low, currency)} to {_signed(proof.value.high, currency)})"
    lines.append(
        f"Both plans simulated on {len(proof.seeds)} fresh seeds: value {_signed(proof.value.mean, currency)}{sure}, "
        f"spend {_signed(proof.spend.mean, currency)}, profit {_signed(proof.profit.mean, currency)}."
    )
    if proof.value.low is not None and proof.value.high is not None and proof.value.low <= 0 <= proof.value.high:
        lines.append("The interval holds 0: these seeds do not show that the new plan is better.")
    return lines


def _signed(amount: float | None, currency: str) -> str:
    return ("+" if amount is not None and amount > 0 else "") + money(amount, currency)


def figure(allocation: Allocation, proof: Proof, currency: str) -> Plot:
    """Left: spend before and after. Right: where both lie on the curves."""
    rows = rows_of(allocation)
    drawn, (left, right) = style.new_figure(2.6 + 0.5 * max(len(rows), 5), 1, 2)
    y = np.arange(len(rows))
    left.barh(y - 0.19, [row["spend_before"] for row in rows], height=0.34, color=style.GREY, label="before")
    left.barh(y + 0.19, [row["spend_after"] for row in rows], height=0.34, color=style.BLUE, label="after")
    style.name_rows(left, [clip(row["campaign_id"]) for row in rows])
    left.set(title="Spend", xlabel=f"spend ({currency})")
    style.plain_axis(left, "x")
    for k, (name, curve) in enumerate(allocation.curves.items()):
        if not curve.fits:
            continue
        colour, fit = style.CYCLE[k % len(style.CYCLE)], curve.fits[0]
        x = np.linspace(1e-3, max(row.spend.mean or 0.0 for row in curve.rows), 200)
        right.plot(x, fit(x), color=colour, label=clip(name, 20))
        before, after = allocation.before.spend[k], allocation.after.spend[k]
        right.scatter(
            [before], [fit(before) if before > 0 else 0], s=70, facecolor=style.PAPER, edgecolor=colour, zorder=4
        )
        right.scatter([after], [fit(after) if after > 0 else 0], s=70, color=colour, zorder=5)
    right.set(
        title="Response (hollow: before, full: after)",
        xlabel=f"spend ({currency})",
        ylabel=f"incremental value ({currency})",
    )
    right.set_xlim(left=0)
    right.set_ylim(bottom=0)
    left.legend(fontsize=9.5, loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=2)
    right.legend(fontsize=9.5, loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=3)
    return Plot("allocation", "Before and after", " ".join(in_words(allocation, proof, currency)), drawn)
