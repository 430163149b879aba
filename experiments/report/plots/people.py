"""How many people the campaigns reached, how often, and how fast the reach grew. Known from the simulation."""

from __future__ import annotations

import numpy as np

from experiments.report.facts import Facts
from experiments.report.plots import style
from experiments.report.plots.style import Plot
from experiments.report.words import clip, count, number, percent
from experiments.results.conservation import ALL
from experiments.results.summary import ratio

LAST = 20
CAMPAIGNS_SHOWN = 15


def reach(facts: Facts) -> Plot | None:
    """People by frequency, and people reached so far over time."""
    persons = _frequencies(facts, ALL)
    if not persons.sum():
        return None
    figure, (left, right) = style.new_figure(3.6, 1, 2)
    left.bar(np.arange(1, LAST + 1), persons, width=0.8, color=style.BLUE)
    ticks = [1, 5, 10, 15, LAST]
    left.set_xticks(ticks, [*(str(tick) for tick in ticks[:-1]), f"{LAST}+"])
    left.set_xlabel("times a person saw an ad (all campaigns)")
    left.set_ylabel("people")
    left.set_title("Frequency")
    hours, reached = _growth(facts)
    right.plot(hours, reached, color=style.GREEN)
    right.fill_between(hours, reached, color=style.GREEN, alpha=0.12, linewidth=0)
    right.set_ylim(bottom=0)
    right.set_ylabel("people reached so far")
    right.set_title("Reach over time")
    style.time_axis(right, hours[-1] / 24)
    for axes in (left, right):
        style.short_numbers(axes, whole=True)
        style.plain_axis(axes)
    total = persons.sum()
    at_least = np.cumsum(persons[::-1])[::-1]
    return Plot(
        "reach",
        "Reach and frequency",
        "Everyone who saw at least one ad, counted once, whether or not the bidder could recognise them.",
        figure,
        ("frequency", "people", "share", "people at least that often"),
        [
            (
                f"{f}{'+' if f == LAST else ''}",
                count(persons[f - 1]),
                percent(persons[f - 1] / total),
                count(at_least[f - 1]),
            )
            for f in range(1, LAST + 1)
        ],
    )


def by_campaign(facts: Facts) -> Plot | None:
    """Reach and average frequency of each campaign."""
    rows = [row for row in facts.campaigns if row["reach"]][:CAMPAIGNS_SHOWN]
    if len(facts.campaigns) < 2 or not rows:
        return None
    figure, (left, right) = style.new_figure(1.3 + 0.34 * len(rows), 1, 2, sharey=True, width_ratios=(1.5, 1))
    y = np.arange(len(rows))
    left.barh(y, [row["reach"] for row in rows], height=0.68, color=style.BLUE)
    right.barh(y, [row["frequency"] for row in rows], height=0.68, color=style.SKY)
    for ix, row in enumerate(rows):
        style.label_end(right, row["frequency"], ix, number(row["frequency"]))
    style.name_rows(left, [clip(row["campaign_id"]) for row in rows])
    left.set_xlabel("reach (people)")
    right.set_xlabel("average frequency (times per person)")
    right.set_xlim(0, max(row["frequency"] for row in rows) * 1.2)
    style.short_numbers(left, "x", whole=True)
    for axes in (left, right):
        style.plain_axis(axes, "x")
    return Plot(
        "reach-by-campaign",
        "Reach of each campaign",
        "People who saw the campaign at least once, and how often they saw it on average."
        + (f" The {len(rows)} biggest spenders are shown." if len(facts.campaigns) > len(rows) else ""),
        figure,
        ("campaign", "reach", "impressions", "average frequency"),
        [(r["campaign_id"], count(r["reach"]), count(r["impressions"]), number(r["frequency"])) for r in rows],
    )


def reach_words(facts: Facts) -> str:
    """One sentence on how evenly the ads were spread; empty when nobody saw any."""
    persons = _frequencies(facts, ALL)
    once = ratio(persons[0], persons.sum())
    return "" if once is None else f"{percent(once, 0)} of the people reached saw exactly one ad."


def _frequencies(facts: Facts, campaign_id: str) -> np.ndarray:
    """People who saw exactly 1, 2, ..., 19, and 20 or more."""
    persons = np.zeros(LAST)
    for row in facts.tables["reach"].to_pylist():
        if row["campaign_id"] == campaign_id and row["frequency"] > 0:
            persons[min(row["frequency"], LAST) - 1] += row["truth_persons"]
    return persons


def _growth(facts: Facts) -> tuple[np.ndarray, np.ndarray]:
    """Hours from the start, and people reached until then."""
    shown = facts.tables["exposures"]
    times, people = shown["time_s"].to_numpy(), shown["person_ix"].to_numpy()
    order = np.argsort(times, kind="stable")
    first = order[np.unique(people[order], return_index=True)[1]]
    length = max(int(times.max() // 3600) + 1, int(facts.tables["delivery"]["hour"].to_numpy().max()) + 1)
    new = np.bincount((times[first] // 3600).astype(np.int64), minlength=length)
    return np.arange(length + 1), np.concatenate([[0], np.cumsum(new)])
