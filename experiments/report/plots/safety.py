"""What verification did to the campaigns' bids and to what they bought: the buyer's side. Money in currency units."""

from __future__ import annotations

import numpy as np

from experiments.report.facts import OTHERS, Facts, largest, names_and_codes, numbers
from experiments.report.plots import style
from experiments.report.plots.style import Plot
from experiments.report.words import clip, count, money, percent
from experiments.results.summary import ratio
from openrtb.money import NANOS_PER_UNIT

KINDS = {
    "refused_ads": ("ad refused", style.BLUE, ""),
    "refused_pages": ("page refused", style.SKY, ""),
    "stopped_ads": ("ad stopped while loading", style.ORANGE, "//"),
    "stopped_pages": ("page stopped while loading", style.YELLOW, "//"),
}
"""Why a bid that came in time was not shown: name, colour, hatching."""
ROWS_SHOWN = 15


def blocked(facts: Facts) -> Plot | None:
    """Bids kept from being shown, by campaign and reason; in numbers by publisher, too."""
    table = facts.tables["safety"]
    if not table.num_rows:
        return None
    names, codes = names_and_codes(table, "campaign_id")
    sums = {kind: np.bincount(codes, weights=numbers(table, kind), minlength=len(names)) for kind in KINDS}
    shown, rest = largest(names, np.sum(list(sums.values()), axis=0).tolist(), ROWS_SHOWN)
    groups = {name: [names.index(name)] for name in shown} | (
        {f"{len(rest)} {OTHERS}": [names.index(name) for name in rest]} if rest else {}
    )
    figure, axes = style.new_figure(1.5 + 0.36 * len(groups))
    y, base = np.arange(len(groups)), np.zeros(len(groups))
    for kind, (label, colour, hatch) in KINDS.items():
        width = np.array([sums[kind][members].sum() for members in groups.values()])
        axes.barh(y, width, left=base, height=0.68, color=colour, hatch=hatch, ec=style.PAPER, lw=0.5, label=label)
        base += width
    style.name_rows(axes, [clip(name) for name in groups])
    axes.set_xlabel("bids that were not shown")
    axes.set_xlim(0, max(1.0, 1.05 * base.max()))
    style.short_numbers(axes, "x", whole=True)
    style.plain_axis(axes, "x")
    style.legend_above(figure, 4)
    said = ("kept out", "ads refused", "pages refused", "ads stopped", "pages stopped", "mistaken (true)")
    return Plot(
        "blocked",
        "What was kept from being shown",
        "Bids refused at the auction for what the ad or the page declares, and ads that had won and were stopped while "
        "they loaded: nothing is paid for either. Kept out are requests a campaign did not bid on in the first place. "
        "Sellers see the same counts, by advertiser.",
        figure,
        ("campaign", "publisher", *said),
        [
            (
                *(row["campaign_id"], row["publisher_id"], count(row["kept_out"])),
                *(count(row[kind]) for kind in KINDS),
                count(row["truth_mistaken_ads"] + row["truth_mistaken_pages"]),
            )
            for row in table.to_pylist()
        ],
    )


def viewed(facts: Facts) -> Plot | None:
    """What could be viewed of what was bought, and what was a bot's and is paid back."""
    table = facts.tables["safety"]
    if not table.num_rows or not numbers(table, "impressions").sum():
        return None
    names, codes = names_and_codes(table, "campaign_id")
    columns = ("impressions", "viewed", "refunded", "refunded_nanos")
    sums = {name: np.bincount(codes, weights=numbers(table, name), minlength=len(names)) for name in columns}
    shown = largest(names, sums["impressions"].tolist(), ROWS_SHOWN)[0]
    order = [names.index(name) for name in shown if sums["impressions"][names.index(name)]]
    figure, (left, right) = style.new_figure(1.4 + 0.36 * len(order), 1, 2, sharey=True)
    y, bought = np.arange(len(order)), sums["impressions"][order]
    for axes, name, colour, label in (
        (left, "viewed", style.GREEN, "could be viewed (share of impressions)"),
        (right, "refunded", style.RED, "found to be a bot's (share of impressions)"),
    ):
        share = sums[name][order] / bought
        axes.barh(y, share, height=0.68, color=colour)
        for row, k in enumerate(order):
            back = f"  {money(sums['refunded_nanos'][k], facts.currency)} back" if name == "refunded" else ""
            style.label_end(axes, share[row], row, f"{percent(share[row])}{back}")
        axes.set_xlabel(label)
        axes.set_xlim(0, max(share.max() * (1.2 if name == "viewed" else 1.7), 1e-3))
        style.shares(axes, "x", bins=4)
        style.plain_axis(axes, "x")
    style.name_rows(left, [clip(names[k]) for k in order])
    return Plot(
        "viewed",
        "What could be viewed, and what bots saw",
        "Nothing comes of an impression nobody can view. What was found out to be a bot's is paid back, with fees; "
        "bots that were not found out are known only because the market is simulated.",
        figure,
        ("campaign", "publisher", "bought", "viewed", "share", "refunded", "money back", "bots (true)", "bad (true)"),
        [
            (
                *(row["campaign_id"], row["publisher_id"], count(row["impressions"]), count(row["viewed"])),
                *(percent(ratio(row["viewed"], row["impressions"])), count(row["refunded"])),
                *(money(row["refunded_nanos"] / NANOS_PER_UNIT, facts.currency), count(row["truth_bots"])),
                count(row["truth_bad_ads"] + row["truth_bad_pages"]),
            )
            for row in table.to_pylist()
            if row["impressions"]
        ],
    )
