"""The interactive page of a ROMI study: one offline HTML file; hovering a point shows the plan there.

The content security policy forbids every request, as in the report of a run. Names from a scenario are escaped.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from markupsafe import Markup

from experiments.report import words
from experiments.report.plots import style
from experiments.report.plots.style import Plot
from experiments.report.template import template
from experiments.romi.curve import Curve, Row, in_words
from experiments.romi.families import FAMILIES
from experiments.romi.tables import BANDS

HERE = Path(__file__).parent


def build_page(curve: Curve, plots: list[Plot], command: str) -> str:
    """The page as HTML."""
    question = curve.points.question
    return template(HERE / "romi.html").render(
        curve=curve,
        question=question,
        margin=curve.points.margin,
        said=in_words(curve, lambda amount: words.money(amount, question.base.currency)),
        figures=[{**plot._asdict(), "svg": Markup(style.svg_of(plot))} for plot in plots],
        fits=[(fit, FAMILIES[fit.family]) for fit in curve.fits],
        data=Markup(_data(curve)),
        command=command,
        css=Markup((HERE.parent / "report" / "report.css").read_text(encoding="utf-8")),
        own_css=Markup((HERE / "romi.css").read_text(encoding="utf-8")),
        js=Markup((HERE / "romi.js").read_text(encoding="utf-8")),
        number=words.number,
        percent=words.signed_percent,
        count=words.count,
        money=lambda amount: words.money(amount, question.base.currency),
    )


def _data(curve: Curve) -> str:
    """What the script draws, as JSON that cannot end the script element it stands in."""
    question, fit = curve.points.question, curve.fits[0] if curve.fits else None
    top = max(row.spend.mean or 0.0 for row in curve.rows)
    margin = curve.points.margin
    line = []
    if fit is not None:
        for k in range(1, 121):
            s = top * k / 120
            value = float(fit(s))
            line.append([s, value, margin * value - s, (margin * value - s) / s, margin * float(fit.slope(s)) - 1.0])
    told = {
        "currency": question.base.currency,
        "lever": question.lever,
        "margin": margin,
        "rows": [_row(row) for row in curve.rows],
        "fit": line,
        "optimum": curve.optimum,
        "break_even": curve.break_even,
    }
    return json.dumps(told, allow_nan=False).replace("<", "\\u003c").replace("&", "\\u0026")


def _row(row: Row) -> dict[str, Any]:
    bands = {column: list(getattr(row, field)) for column, field in BANDS.items()}
    return bands | {
        name: getattr(row, name)
        for name in ("value", "current", "cpa", "true_cpa", "cpm", "impressions", "clicks", "reach", "frequency")
    }
