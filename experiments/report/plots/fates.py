"""Why money was not spent: every request's fate, over time, and each campaign's reasons."""

from __future__ import annotations

import numpy as np

from experiments.report.facts import Facts, grid, hourly
from experiments.report.plots import style
from experiments.report.plots.style import Plot
from experiments.report.words import clip, count, fate_name, percent, short
from experiments.results.dictionary import FATE_MEANINGS, FATES
from experiments.results.summary import ratio

FATE_COLOURS = {
    "not_targeted": style.GRID,
    "no_consent": style.GREY,
    "budget_gone": style.RED,
    "capped": style.PINK,
    "paced": style.YELLOW,
    "bad_bid": style.RED,
    "no_value": style.MUTED,
    "below_floor": style.SKY,
    "timed_out": style.INK,
    "outbid": style.BLUE,
    "won": style.GREEN,
    "outranked": style.ORANGE,
}
CAMPAIGNS_SHOWN = 20


def waterfall(facts: Facts) -> Plot:
    """From all requests seen, step by step, down to those won; the steps add up exactly."""
    fates, seen = facts.summary["fates"], facts.summary["requests"]
    labels = ["requests seen", *(fate_name(fate) for fate in FATES)]
    figure, axes = style.new_figure(5.2)
    left = seen
    widths, starts = [seen], [0]
    for fate in FATES:
        left -= fates[fate]
        widths.append(fates[fate])
        starts.append(left if fate != "won" else 0)
    y = np.arange(len(labels))
    colours = [style.MUTED, *(FATE_COLOURS[fate] if fate != "not_targeted" else style.GREY for fate in FATES)]
    edges = [1.2 if width else 0.0 for width in widths]  # few requests are still seen, none are not
    axes.barh(y, widths, left=starts, height=0.68, color=colours, edgecolor=colours, linewidth=edges)
    ends = [seen, *(starts[1:-1]), 0]
    for step in range(len(labels) - 2):
        axes.plot([ends[step]] * 2, [step + 0.34, step + 0.66], color=style.MUTED, linewidth=0.8)
    edge = axes.get_yaxis_transform()
    for row, width in enumerate(widths):
        bold = "bold" if row in (0, len(widths) - 1) else "normal"
        axes.text(1.15, row, count(width), ha="right", va="center", weight=bold, transform=edge)
        axes.text(1.27, row, percent(ratio(width, seen)), ha="right", va="center", color=style.MUTED, transform=edge)
    style.name_rows(axes, labels)
    axes.set_xlim(0, max(seen, 1))
    axes.set_xlabel("requests")
    style.short_numbers(axes, "x", whole=True)
    style.plain_axis(axes, "x")
    rows = [
        (fate_name(fate), count(fates[fate]), percent(ratio(fates[fate], seen), 2), FATE_MEANINGS[fate])
        for fate in FATES
    ]
    rows.append(("requests seen", count(sum(fates.values())), percent(ratio(seen, seen), 2), "the sum of the above"))
    return Plot(
        "why-not-spent",
        "Every request, from seen to won",
        "Every request ends in exactly one of these fates: the steps add up to the requests seen. A request's fate is "
        "how far it came with the campaign that took it furthest.",
        figure,
        ("fate", "requests", "share", "meaning"),
        rows,
    )


def over_time(facts: Facts) -> Plot | None:
    """Share of the fates of the requests that a campaign wanted, over time."""
    by_hour = hourly(facts.tables["fates"], "fate", "requests")
    wanted = [fate for fate in FATES[::-1] if fate != "not_targeted" and by_hour.get(fate, np.zeros(1)).sum() > 0]
    if not wanted:
        return None
    counts = np.array([by_hour[fate] for fate in wanted])
    if counts.shape[1] > 24 * 14:  # by day: hours would be thinner than a pixel
        whole_days = -(-counts.shape[1] // 24)
        padded = np.pad(counts, ((0, 0), (0, whole_days * 24 - counts.shape[1])))
        counts, width = padded.reshape(len(wanted), whole_days, 24).sum(axis=2), 24
    else:
        width = 1
    total = counts.sum(axis=0)
    share = np.divide(counts, total, out=np.zeros_like(counts), where=total > 0)
    figure, axes = style.new_figure(3.5)
    edges = np.arange(counts.shape[1] + 1) * width
    base = np.zeros(counts.shape[1])
    for fate, part in zip(wanted, share, strict=True):
        axes.stairs(base + part, edges, baseline=base, fill=True, color=FATE_COLOURS[fate], label=fate_name(fate), lw=0)
        base = base + part
    axes.set_ylim(0, 1)
    axes.set_ylabel("share of wanted requests")
    style.shares(axes)
    style.time_axis(axes, counts.shape[1] * width / 24)
    axes.grid(visible=False)
    style.legend_above(figure, 5)
    return Plot(
        "fates-over-time",
        "When was it not spent?",
        "Fates of the requests that at least one running campaign wanted, hour by hour (day by day in long runs). "
        "Requests that nobody wanted are left out.",
        figure,
        ("fate", "requests a campaign wanted", "share"),
        [(fate_name(fate), count(by_hour[fate].sum()), percent(by_hour[fate].sum() / counts.sum())) for fate in wanted],
    )


def reasons(facts: Facts) -> Plot | None:
    """What became of the requests each campaign wanted."""
    names, kinds, counts = grid(facts.tables["reasons"], "campaign_id", "reason", "requests")
    wanted_kinds = [kind for kind in kinds if kind != "not_targeted"]
    order = sorted(
        wanted_kinds, key=lambda kind: FATES.index(kind) if kind in FATES else FATES.index("timed_out") - 0.5
    )
    used = [kind for kind in order if counts[:, kinds.index(kind)].sum() > 0]
    shown = [row["campaign_id"] for row in facts.campaigns if row["campaign_id"] in names][:CAMPAIGNS_SHOWN]
    if not used or not shown:
        return None
    table = np.array([[counts[names.index(name), kinds.index(kind)] for kind in used] for name in shown])
    wanted = table.sum(axis=1, keepdims=True)
    share = np.divide(table, wanted, out=np.zeros_like(table), where=wanted > 0)
    figure, axes = style.new_figure(1.5 + 0.34 * len(shown))
    base = np.zeros(len(shown))
    for column, kind in enumerate(used):
        colour = FATE_COLOURS.get(kind, style.GRID)
        axes.barh(np.arange(len(shown)), share[:, column], left=base, height=0.7, color=colour, label=fate_name(kind))
        base += share[:, column]
    for row, size in enumerate(wanted[:, 0]):
        axes.text(1.01, row, short(size), va="center", color=style.MUTED, transform=axes.get_yaxis_transform())
    axes.text(1.01, 1.0, "wanted", va="bottom", color=style.MUTED, transform=axes.transAxes)
    style.name_rows(axes, [clip(name) for name in shown])
    axes.set_xlim(0, 1)
    axes.set_xlabel("share of the requests the campaign wanted")
    style.shares(axes, "x")
    style.plain_axis(axes, "x")
    style.legend_above(figure, 5)
    more = f" The {CAMPAIGNS_SHOWN} biggest spenders of {len(names)} are shown." if len(names) > len(shown) else ""
    return Plot(
        "reasons",
        "What stopped each campaign?",
        "Of the requests inside a campaign's targeting: what stopped it, and how often it won. "
        f"Campaigns compete, so one request counts for each campaign that wanted it.{more}",
        figure,
        ("campaign", "requests wanted", *(fate_name(kind) for kind in used)),
        [
            (name, count(size), *(count(n) for n in row))
            for name, size, row in zip(shown, wanted[:, 0], table, strict=True)
        ],
    )
