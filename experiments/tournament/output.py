"""A tournament's folder: tables, figure, page, the scenario as resolved and what made them; whole or absent."""

from __future__ import annotations

import html
import json
import shutil
import uuid
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

import experiments.report
from experiments.errors import RunError
from experiments.report.plots import style
from experiments.report.words import money, percent, signed_percent
from experiments.results.manifest import Manifest

CSS = Path(experiments.report.__file__).with_name("report.css")
_STYLE = "th:nth-child(-n+3),td:nth-child(-n+3){text-align:left}"


def write(
    path: Path, agents: pa.Table, delivery: pa.Table, plot: style.Plot, manifest: Manifest, scenario_yaml: str
) -> None:
    """Write everything into the new folder *path*; raises `RunError`, and then nothing is left behind."""
    partial = path.with_name(f".partial-{path.name}-{uuid.uuid4().hex[:8]}")
    try:
        partial.mkdir(parents=True)
        pq.write_table(agents, partial / "agents.parquet")
        pq.write_table(delivery, partial / "delivery.parquet")
        (partial / "tournament.png").write_bytes(style.png_of(plot))
        (partial / "tournament.html").write_text(page(agents, plot, manifest), "utf-8")
        (partial / "scenario.yaml").write_text(scenario_yaml, "utf-8")
        (partial / "manifest.json").write_text(json.dumps(manifest.as_dict(), indent=2, ensure_ascii=False) + "\n")
        partial.rename(path)
    except OSError as error:
        reason = error.strerror or str(error)
        raise RunError(f"{path}: the tournament cannot be written here ({reason}); choose another folder") from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def page(agents: pa.Table, plot: style.Plot, manifest: Manifest) -> str:
    """One offline HTML file: the figure inside it and the standings, the highest surplus first."""
    head = (
        "agent",
        "rule",
        "pacing",
        "budget",
        "spend",
        "value",
        "ROI",
        "conv.",
        "CPA",
        "best ×",
        "regret",
        "per budget",
    )
    rows = sorted(agents.to_pylist(), key=lambda row: (row["spend_nanos"] - row["worth_nanos"]) / row["budget_nanos"])
    lines = []
    for row in rows:
        amounts = [_amount(row[name], manifest.currency) for name in ("budget_nanos", "spend_nanos", "worth_nanos")]
        cells = (
            *(row["agent"], row["rule"], row["pacing"], *amounts, signed_percent(row["roi"]), row["conversions"]),
            *(_amount(row["cpa_nanos"], manifest.currency), f"{row['best_multiplier']:.2f}"),
            _amount(row["regret_nanos"], manifest.currency),
            percent(row["regret_nanos"] / row["budget_nanos"]),
        )
        lines.append("<tr>" + "".join(f"<td>{html.escape(str(cell))}</td>" for cell in cells) + "</tr>")
    title = html.escape(manifest.title)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<title>{title}</title><style>{CSS.read_text('utf-8')}{_STYLE}</style></head><body>"
        f'<header><p class="eyebrow">bidlab tournament</p><h1>{title}</h1>'
        f'<p class="lead">{manifest.auctions:,} auctions, {agents.num_rows} agents, '
        f"seed {manifest.seed}. Money in {manifest.currency}."
        f'</p></header><main><section><figure><div class="plot">{style.svg_of(plot)}</div>'
        f"<figcaption>{html.escape(plot.caption)}</figcaption></figure>"
        f'<div class="scroll"><table><thead><tr>{"".join(f"<th>{name}</th>" for name in head)}</tr></thead>'
        f"<tbody>{''.join(lines)}</tbody></table></div></section></main></body></html>\n"
    )


def _amount(nanos: int | None, currency: str) -> str:
    return money(None if nanos is None else nanos / 1e9, currency)
