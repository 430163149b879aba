"""The result of a load test as one offline HTML page: figures, curves per second, tables of what went wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader

WIDTH, HEIGHT = 900, 180


def render(result: Mapping[str, Any], title: str) -> str:
    """The page's text."""
    environment = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True)
    seconds = result["seconds"]
    curves = [
        ("Requests per second", "sent (grey) and answered", _curve(seconds, ("sent", "answered"))),
        ("Latency by second, ms", "99th percentile (grey) and median", _curve(seconds, ("p99_ms", "p50_ms"))),
        ("Time-outs and errors by second", "time-outs (grey) and errors", _curve(seconds, ("timeouts", "errors"))),
    ]
    return environment.get_template("page.html").render(result=result, title=title, curves=curves)


def _curve(seconds: Sequence[Mapping[str, float]], names: tuple[str, str]) -> dict[str, Any]:
    """Two lines over time as points of an SVG, and their highest value."""
    top = max((row[name] for row in seconds for name in names), default=0.0) or 1.0
    step = WIDTH / max(1, len(seconds) - 1)
    lines = [
        " ".join(f"{i * step:.1f},{HEIGHT - row[name] / top * HEIGHT:.1f}" for i, row in enumerate(seconds))
        for name in names
    ]
    return {"lines": lines, "top": top, "width": WIDTH, "height": HEIGHT}
