"""The report: whole, offline, escaped, the same bytes twice, and never at a loss for an unusual run."""

from __future__ import annotations

import re
from collections.abc import Callable
from html.parser import HTMLParser

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from experiments.report import Report, build_report, write_report
from experiments.report.facts import Facts, gather
from experiments.report.page import SECTIONS
from experiments.report.plots import fates, money, prices, safety, sold_by, style
from experiments.report.words import count, number, percent
from experiments.results.conservation import HOPS
from experiments.results.dictionary import FATES
from experiments.results.tables import build_tables
from tests.experiments import synthetic_run

UNUSUAL = {
    "no wins": {"wins": 0, "products": 0},
    "no wins, people buy anyway": {"wins": 0},
    "no purchases": {"conversions": 0},
    "no products": {"products": 0},
    "one win": {"wins": 1, "campaigns": 1, "conversions": 1, "days": 1},
    "one campaign": {"campaigns": 1},
    "fifty campaigns": {"campaigns": 50, "days": 30},
}


class Page(HTMLParser):
    """Collects what a test asks about a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.words: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.ids += [value for name, value in attrs if name == "id" and value]
        self.links += [value for name, value in attrs if name in ("src", "href", "xlink:href") and value]

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def report(manifest_changes: dict | None = None, **sizes: int) -> Report:
    tables = synthetic_run.tables(**sizes)
    manifest = synthetic_run.manifest(**(manifest_changes or {}))
    return build_report(tables, title=manifest.title, currency="EUR", manifest=manifest)


@pytest.fixture(scope="module")
def usual() -> Report:
    return report()


def test_every_part_is_there_with_a_plot_and_its_numbers(usual: Report) -> None:
    page = Page(usual.html)
    assert {section.anchor for section in SECTIONS} <= set(page.ids)
    assert page.tags.count("svg") == page.tags.count("figure") == len(usual.plots) == 16
    assert page.tags.count("h1") == 1
    text = " ".join(page.words)
    for words in ("Every request, from seen to won", "CPM", "true ROMI", "bidlab run runs/x/scenario.yaml --seed 7"):
        assert words in text


def test_the_waterfall_adds_up_on_the_page(usual: Report) -> None:
    figure = usual.html[usual.html.index('id="plot-why-not-spent"') :]
    figure = figure[: figure.index("</figure>")]
    cells = re.findall(r"<tr><td>([^<]*)</td><td>([\d,]+)</td>", figure)
    numbers = {name: int(number.replace(",", "")) for name, number in cells}
    seen = numbers.pop("requests seen")
    assert len(numbers) == len(FATES)
    assert sum(numbers.values()) == seen == sum(synthetic_run.tables()["fates"]["requests"].to_pylist())


def test_nothing_is_loaded_from_anywhere(usual: Report) -> None:
    page = Page(usual.html)
    assert all(link.startswith(("#", "data:")) for link in page.links)
    assert "@import" not in usual.html
    assert not re.search(r"url\((?!#)", usual.html)
    assert "default-src 'none'" in usual.html


def test_every_id_is_unique_and_every_reference_has_its_target(usual: Report) -> None:
    page = Page(usual.html)
    assert len(page.ids) == len(set(page.ids))
    references = {link[1:] for link in page.links if link.startswith("#")}
    assert references | set(re.findall(r"url\(#([^)]+)\)", usual.html)) <= set(page.ids)


def test_names_are_escaped(usual: Report) -> None:
    assert "<b>" not in usual.html
    assert "&lt;b&gt;&amp;newcomers&lt;/b&gt;" in usual.html
    hostile = "</script><script>alert(1)</script>"
    manifest = {"title": hostile, "name": hostile, "command": hostile, "platform": hostile}
    assert Page(report(manifest, wins=0, products=0, days=1).html).tags.count("script") == 1


def test_dollar_signs_in_names_are_no_formulas(usual: Report) -> None:
    svgs = re.findall(r"<svg.*?</svg>", usual.html, flags=re.DOTALL)
    assert any("retargeting $5–$9 \\frac" in svg for svg in svgs)


def test_the_same_run_gives_the_same_page_and_plots(usual: Report) -> None:
    again = report()
    assert again.html == usual.html
    assert again.plots == usual.plots


def test_no_colour_is_left_that_a_dark_page_cannot_change(usual: Report) -> None:
    svgs = re.findall(r"<svg.*?</svg>", usual.html, flags=re.DOTALL)
    assert not [colour for svg in svgs for colour in re.findall(r"(?:fill|stroke|color): ?#[0-9a-f]{6}", svg)]


@pytest.mark.parametrize("sizes", UNUSUAL.values(), ids=UNUSUAL.keys())
def test_unusual_runs_have_a_whole_report(sizes: dict[str, int]) -> None:
    made = report(**sizes)
    page = Page(made.html)
    assert {section.anchor for section in SECTIONS} <= set(page.ids)
    assert page.tags.count("svg") == len(made.plots) >= 4
    text = " ".join(page.words)
    assert not re.search(r"\b(nan|inf|None)\b", text)


def test_a_run_that_saw_no_request_has_a_whole_report() -> None:
    columns = synthetic_run.columns(wins=0, products=0, days=1)
    columns["fates"] = {name: values[:0] for name, values in columns["fates"].items()}
    columns["reasons"] = {name: values[:0] for name, values in columns["reasons"].items()}
    columns["landscape"] = {name: values[:0] for name, values in columns["landscape"].items()}
    columns["slots"] |= {"requests": [0] * 12}
    manifest = synthetic_run.manifest(days=1.0)
    html = write_report(build_tables(columns), title="Quiet", currency="EUR", manifest=manifest)
    assert "There were no requests" in html
    assert "No bid reached an auction" in html


@pytest.mark.parametrize("draw", [fates.waterfall, money.waterfall])
def test_no_word_is_cut_off_in_the_pictures(draw: Callable[[Facts], style.Plot | None]) -> None:
    """Names of rows and the columns of numbers beside them, in the PNG files; the page would show them anyway."""
    manifest = synthetic_run.manifest()
    facts = gather(synthetic_run.tables(), manifest.title, "EUR", manifest)
    with style.look():
        plot = draw(facts)
        assert plot is not None
        style.png_of(plot)
        canvas = plot.figure.canvas
        assert isinstance(canvas, FigureCanvasAgg)
        for axes in plot.figure.axes:
            for text in (*axes.texts, *(label for label in axes.get_yticklabels() if label.get_text())):
                extent = text.get_window_extent(canvas.get_renderer())
                assert 0 <= extent.x0 < extent.x1 <= plot.figure.bbox.width, text.get_text()


def test_buyers_see_why_they_lost_and_who_took_what() -> None:
    """Seller by seller: reasons of losses with what was short, and the fees between the campaign and the seller."""
    manifest = synthetic_run.manifest()
    facts = gather(synthetic_run.tables(), manifest.title, "EUR", manifest)
    bids = facts.tables["bids"].to_pylist()
    with style.look():
        lost, taken = sold_by.lost(facts), sold_by.taken(facts)
    assert lost is not None
    assert taken is not None
    assert tuple(lost.headings) == ("campaign", "publisher", "bids", "won", "a higher bid", "short (CPM)")
    first = bids[0]
    short = number(first["short_nanos"] / 1e6 / (first["bids"] - first["won"]))
    counts = [count(first[name]) for name in ("bids", "won", "lost_to_higher_bid")]
    assert list(lost.rows[0]) == [first["campaign_id"], first["publisher_id"], *counts, short]
    cost = first["paid_nanos"] + first["dsp_nanos"]
    assert cost == sum(first[name] for name in HOPS)
    assert taken.rows[0][-1] == percent((first["paid_nanos"] - first["exchange_nanos"]) / cost)
    assert len(taken.rows) == sum(row["won"] > 0 for row in bids)


def test_hours_are_marked_at_hours_people_think_in() -> None:
    axes = Figure().subplots()
    for days, step_h in ((0.5, 2), (1, 3), (2, 6), (3, 24), (14, 48), (30, 96)):
        style.time_axis(axes, days)
        assert axes.get_xticks()[1] == step_h


def test_fifty_campaigns_are_all_in_the_table_and_gathered_in_the_plots() -> None:
    made = report(campaigns=50, wins=0, products=0, days=2)
    assert made.html.count("39 others") >= 1
    table = made.html[made.html.index('id="campaigns"') :]
    assert table.count("<tr>") == 50 + 2


def test_numbers_that_do_not_add_up_are_said_to(usual: Report) -> None:
    columns = synthetic_run.columns(wins=0, products=0, days=1)
    columns["slots"]["spend_nanos"][0] += 1
    html = write_report(build_tables(columns), title="", currency="EUR", manifest=synthetic_run.manifest())
    assert "These numbers do not add up" in html
    assert "prices paid = spend by campaign" in html
    assert "These numbers do not add up" not in usual.html


def test_price_bins_that_grow_with_the_price_get_a_logarithmic_axis() -> None:
    columns = synthetic_run.columns(days=1)
    bins = len(columns["landscape"]["bids"]) // 4
    edges = np.concatenate([[0.0], np.geomspace(0.01, 100, bins)])
    columns["landscape"] |= {"price_low_cpm": list(edges[:-1]) * 4, "price_high_cpm": list(edges[1:]) * 4}
    manifest = synthetic_run.manifest(days=1.0)
    facts = gather(build_tables(columns), "", "EUR", manifest)
    with style.look():
        grown, even = prices.landscape(facts), prices.landscape(gather(synthetic_run.tables(), "", "EUR", manifest))
        assert grown is not None
        assert even is not None
        assert [plot.figure.axes[1].get_xscale() for plot in (grown, even)] == ["log", "linear"]
        assert style.svg_of(grown).startswith("<svg")


def test_what_verification_did_is_told_to_the_buyer(usual: Report) -> None:
    """Blocked by campaign, reason and publisher; viewed and refunded in shares and money; nothing where nothing was."""
    columns = synthetic_run.columns(wins=500)
    counts = ("kept_out", "refused_ads", "refused_pages", "stopped_ads", "stopped_pages", "impressions", "viewed")
    counts += ("refunded", "refunded_nanos", "truth_mistaken_ads", "truth_mistaken_pages")
    counts += ("truth_bad_ads", "truth_bad_pages", "truth_bots")
    rows = np.array([[7, 11, 0, 40, 2, 200, 150, 20, 3 * 10**9, 5, 1, 9, 0, 31], [0] * 14])
    columns["safety"] = {"campaign_id": list(synthetic_run.ADVERTS[:2]), "publisher_id": ["anonymous-1", "site-b"]}
    columns["safety"] |= {name: rows[:, k] for k, name in enumerate(counts)}
    facts = gather(build_tables(columns), "t", "EUR", synthetic_run.manifest())
    with style.look():
        blocked, viewed = safety.blocked(facts), safety.viewed(facts)
    assert blocked is not None
    assert viewed is not None
    assert blocked.rows[0] == (synthetic_run.ADVERTS[0], "anonymous-1", "7", "11", "0", "40", "2", "6")
    assert len(blocked.rows) == 2
    told = ("200", "150", "75.0\u00a0%", "20", "€3.00", "31", "9")
    assert list(viewed.rows) == [(synthetic_run.ADVERTS[0], "anonymous-1", *told)]
    assert "Nothing is verified here" in usual.html
