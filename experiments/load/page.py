"""The result of a load test as one offline HTML page: figures, curves per second, tables of what went wrong.

It looks as the report of a run does: same style sheet, same colours, light and dark. Latencies in ms, times in s.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader
from markupsafe import Markup

import experiments.report
from experiments.report.plots import style
from experiments.report.plots.style import Plot

CSS = Path(experiments.report.__file__).with_name("report.css")
Seconds = Sequence[Mapping[str, float]]


def render(result: Mapping[str, Any], title: str) -> str:
    """The page's text."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    with style.look():
        drawn = [(plot, Markup(style.svg_of(plot))) for plot in plots(result)]
    css = Markup(CSS.read_text(encoding="utf-8"))
    return environment.get_template("page.html").render(result=result, title=title, plots=drawn, css=css)


def plots(result: Mapping[str, Any]) -> list[Plot]:
    """Curves by second of the run; none of a run that was over within two seconds."""
    seconds = _whole(result["seconds"], result["asked"]["duration_s"])
    if len(seconds) < 2:
        return []
    found = [_rate(seconds), _latency(seconds, result.get("requirements", []))]
    if any(row["timeouts"] or row["errors"] for row in seconds):
        found.append(_trouble(seconds))
    return found


def _whole(seconds: Seconds, duration_s: float) -> Seconds:
    """The seconds in which requests were sent all the time: a last part of one would look like a collapse."""
    return [row for row in seconds if row["second"] <= max(duration_s, 1.0)]


def _rate(seconds: Seconds) -> Plot:
    figure, axes = style.new_figure(3.0)
    _line(axes, seconds, "sent", color=style.MUTED, linestyle="--", linewidth=1.4, label="sent")
    _line(axes, seconds, "answered", color=style.BLUE, label="answered")
    _finish(figure, axes, seconds, "requests per second")
    return Plot("rate", "Requests per second", "Answers count in the second in which they came.", figure)


def _latency(seconds: Seconds, requirements: Sequence[Mapping[str, Any]]) -> Plot:
    figure, axes = style.new_figure(3.4)
    _line(axes, seconds, "p99_ms", color=style.ORANGE, label="99th percentile", marker="s", markersize=3)
    _line(axes, seconds, "p50_ms", color=style.BLUE, label="median", marker="o", markersize=3)
    top = max((row["p99_ms"] for row in seconds), default=0.0)
    for asked in requirements:
        if asked.get("measure") == "p99" and asked["limit"] <= 1.5 * top:
            axes.axhline(asked["limit"], color=style.RED, linewidth=1.2, linestyle=":", label=f"asked: {asked['text']}")
    _finish(figure, axes, seconds, "latency (ms)")
    return Plot(
        "latency",
        "Latency by second",
        "From the moment a request should have left to the last byte of its answer.",
        figure,
    )


def _trouble(seconds: Seconds) -> Plot:
    figure, axes = style.new_figure(2.6)
    _line(axes, seconds, "timeouts", color=style.BLUE, label="time-outs", marker="s", markersize=3)
    _line(axes, seconds, "errors", color=style.RED, linestyle="--", label="errors", marker="o", markersize=3)
    _finish(figure, axes, seconds, "requests")
    return Plot("trouble", "Time-outs and errors by second", "Time-outs are answers later than tmax, or none.", figure)


def _line(axes: Any, seconds: Seconds, name: str, **look: Any) -> None:
    axes.plot([row["second"] for row in seconds], [row[name] for row in seconds], **look)


def _finish(figure: Any, axes: Any, seconds: Seconds, what: str) -> None:
    axes.set_ylim(bottom=0)
    axes.set_xlim(seconds[0]["second"], seconds[-1]["second"])
    axes.set_xlabel("time since the start (s)")
    axes.set_ylabel(what)
    style.short_numbers(axes, "x", bins=8, whole=True)
    style.short_numbers(axes)
    style.plain_axis(axes)
    style.legend_above(figure, 3)
