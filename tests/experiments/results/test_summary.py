"""The summary's numbers against plain arithmetic, and no division by zero."""

from __future__ import annotations

import io
import json

import pytest
from rich.console import Console

from experiments.results.dictionary import FATES
from experiments.results.summary import summarise, summary_table
from tests.experiments import synthetic_run


def test_numbers_are_those_of_the_tables() -> None:
    tables = synthetic_run.tables()
    summary = json.loads(json.dumps(summarise(tables, "EUR"), allow_nan=False))
    first = summary["campaigns"][0]
    row = tables["campaigns"].to_pylist()[0]
    assert first["spend"] == row["spend_nanos"] / 1e9
    assert first["cpm"] == pytest.approx(row["spend_nanos"] / 1e6 / row["impressions"])
    assert first["cpc"] == pytest.approx(row["spend_nanos"] / 1e9 / row["clicks"])
    assert first["cpa"] == pytest.approx(row["spend_nanos"] / 1e9 / row["attributed_conversions"])
    assert first["win_rate"] == row["impressions"] / row["bids"]
    assert first["frequency"] == row["impressions"] / row["truth_reach"]
    assert first["true_romi"] == pytest.approx(first["true_profit"] / (first["spend"] + first["data_cost"]))
    assert summary["requests"] == sum(tables["fates"]["requests"].to_pylist())
    assert list(summary["fates"]) == list(FATES)


def test_the_total_adds_money_but_counts_each_person_once() -> None:
    tables = synthetic_run.tables()
    summary = summarise(tables, "EUR")
    total, rows = summary["total"], summary["campaigns"]
    assert total["spend"] == pytest.approx(sum(row["spend"] for row in rows))
    assert total["impressions"] == summary["fates"]["won"] == tables["exposures"].num_rows
    assert total["reach"] == len(set(tables["exposures"]["person_ix"].to_pylist())) < sum(row["reach"] for row in rows)
    assert total["true_profit"] == pytest.approx(sum(row["true_profit"] for row in rows))


def test_nothing_bought_gives_null_and_no_error() -> None:
    summary = summarise(synthetic_run.tables(wins=0, products=0), "EUR")
    for row in [*summary["campaigns"], summary["total"]]:
        for key in ("cpm", "cpc", "cpa", "roas", "win_rate", "frequency", "true_romi", "true_cpa"):
            assert row[key] is None
        assert row["spend"] == 0
    assert "–" in render(summary)


def test_the_terminal_table_names_every_campaign_and_all_of_them_together() -> None:
    text = render(summarise(synthetic_run.tables(), "EUR"))
    for word in ("Spring shoes", "retargeting", "all", "true ROMI", "money in EUR"):
        assert word in text


def test_one_campaign_needs_no_total_row() -> None:
    lines = render(summarise(synthetic_run.tables(campaigns=1), "EUR")).splitlines()
    assert not any(line.strip().startswith("all ") for line in lines)


def test_a_narrow_terminal_gets_fewer_columns_and_no_cut_numbers() -> None:
    summary = summarise(synthetic_run.tables(), "EUR")
    text = render(summary, 80)
    assert f"{summary['total']['impressions']:,}" in text
    assert f"{summary['total']['true_romi']:+.1%}" in text
    assert "…" not in text


def render(summary: dict, width: int = 200) -> str:
    text = io.StringIO()
    Console(file=text, width=width).print(summary_table(summary, width))
    return text.getvalue()
