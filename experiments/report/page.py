"""The report page: one offline HTML file, its plots inside it, nothing loaded from anywhere.

The content security policy in the page forbids every request, so "offline" is enforced and not only promised. All text
that came from a scenario is escaped by jinja2.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from markupsafe import Markup

from experiments.report import words
from experiments.report.facts import Facts, gather
from experiments.report.findings import findings
from experiments.report.plots import (
    delivery,
    fates,
    money,
    outcomes,
    people,
    prices,
    safety,
    sold_by,
    spend,
    style,
    truth,
)
from experiments.report.plots.style import Plot
from experiments.report.template import template
from experiments.results.conservation import identities
from experiments.results.manifest import Manifest
from experiments.results.tables import Tables

HERE = Path(__file__).parent


class Section(NamedTuple):
    """One part of the page: its name in the menu, heading and plots, and what to say when there is nothing to plot."""

    anchor: str
    short: str
    heading: str
    plots: tuple[Callable[[Facts], Plot | None], ...]
    nothing: str = ""


SECTIONS = (
    Section("spent", "Not spent", "Why money was not spent", (fates.waterfall, fates.over_time, fates.reasons)),
    Section("plan", "Plan", "Plan and delivery over time", (spend.total, spend.by_campaign, sold_by.deals)),
    Section(
        "where", "Delivery", "Where it ran", (delivery.by_publisher, delivery.by_device), "No impression was bought."
    ),
    Section(
        "prices",
        "Prices",
        "What it took to win",
        (prices.landscape, sold_by.lost),
        "No bid reached an auction and no price is known.",
    ),
    Section(
        "money",
        "Money",
        "Where the money went",
        (money.waterfall, money.ways, sold_by.taken),
        "Nobody paid for anything.",
    ),
    Section(
        "safety",
        "Safety",
        "What was kept away, viewed and refunded",
        (safety.blocked, safety.viewed),
        "Nothing is verified here: no ad or page is refused, looked at or filtered.",
    ),
    Section("people", "People", "Who saw it", (people.reach, people.by_campaign), "Nobody saw an ad."),
    Section(
        "outcomes",
        "Outcomes",
        "Clicks and purchases",
        (outcomes.outcomes,),
        "Nothing was clicked and no purchase was credited.",
    ),
    Section(
        "truth",
        "Truth",
        "What it was really worth",
        (truth.value, truth.credit),
        "The ads caused no purchase, and none was credited.",
    ),
)


class Report(NamedTuple):
    """The page, and the plots in it as PNG files by name (without ending)."""

    html: str
    plots: dict[str, bytes]


def build_report(tables: Tables, *, title: str, currency: str, manifest: Manifest) -> Report:
    """The report of a run: page and PNG plots. The same run gives the same bytes.

    tables: every table of the dictionary; title: heading of the page (empty: the run's name); currency: ISO 4217 code.
    """
    html, plots = _draw(tables, title, currency, manifest)
    return Report(html, {plot.name: style.png_of(plot) for plot in plots})


def write_report(tables: Tables, *, title: str, currency: str, manifest: Manifest) -> str:
    """The page alone, as `build_report` makes it."""
    return _draw(tables, title, currency, manifest)[0]


def _draw(tables: Tables, title: str, currency: str, manifest: Manifest) -> tuple[str, list[Plot]]:
    """The page, and the plots in it."""
    facts = gather(tables, title, currency, manifest)
    with style.look():
        drawn = {section.anchor: [plot for draw in section.plots if (plot := draw(facts))] for section in SECTIONS}
        figures = {
            anchor: [{**plot._asdict(), "svg": Markup(style.svg_of(plot))} for plot in plots]
            for anchor, plots in drawn.items()
        }
    return _page(facts, figures), [plot for plots in drawn.values() for plot in plots]


def _page(facts: Facts, figures: dict[str, list[dict[str, Any]]]) -> str:
    kept = identities(facts.tables)
    return template(HERE / "report.html").render(
        facts=facts,
        manifest=facts.manifest,
        total=facts.total,
        currency=facts.currency,
        findings=findings(facts),
        sections=SECTIONS,
        figures=figures,
        kept=[said for said, holds in kept if holds],
        broken=[said for said, holds in kept if not holds],
        css=Markup((HERE / "report.css").read_text(encoding="utf-8")),
        js=Markup((HERE / "report.js").read_text(encoding="utf-8")),
        count=words.count,
        short=words.short,
        percent=words.percent,
        signed_percent=words.signed_percent,
        number=words.number,
        money=lambda amount: words.money(amount, facts.currency),
    )
