"""The contest: paired seeds, intervals against a formula, and a round of two seeds from play to page."""

from __future__ import annotations

import math
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bidder.core.codes import BIDS
from experiments.contest.__main__ import main
from experiments.contest.contestants import BASELINE, CONTESTANTS, MARKETS, plays
from experiments.contest.feedback import AFTER, FIXED, GUESSES, LEARNERS, feedback_markdown, surplus_of
from experiments.contest.table import markdown, scores
from experiments.scenario.loader import load


def test_every_rule_and_every_pacing_plays() -> None:
    rules = {settings["bid"]["kind"] for settings in CONTESTANTS.values() if "bid" in settings}
    assert rules == {rule.split("_")[0] for rule in BIDS}
    pacings = [settings.get("pacing", "asap") for settings in CONTESTANTS.values()]
    named = {pacing if isinstance(pacing, str) else pacing.get("form", pacing["kind"]) for pacing in pacings}
    assert named == {"asap", "even", "adaptive", "multiplicative", "pid", "throttled", "shaped"}
    assert all(list(load(market).campaigns) == ["player"] for market in MARKETS)


def test_differences_are_paired_by_seed() -> None:
    rows = [
        {"market": "m", "contestant": name, "seed": seed, "budget": 2.0, "spend": spend, "value": value}
        for name, seed, spend, value in (
            (BASELINE, 1, 1.0, 1.0), (BASELINE, 2, 2.0, 4.0), (BASELINE, 3, 1.0, 3.0),
            ("truthful", 2, 1.0, 3.0), ("truthful", 1, 1.0, 2.0), ("truthful", 3, 0.0, 0.0),
        )
    ]  # fmt: skip
    score = scores(pa.Table.from_pylist(rows))["m", "truthful"]
    assert score.value_per_euro == pytest.approx(5 / 3)
    assert score.difference == pytest.approx((1 + 1 - 3) / 3)
    # Deviation of 1, 1, -3 is 4 / sqrt(3); the 97.5 % point of t with two degrees of freedom is 4.302653.
    assert score.half_width == pytest.approx(4.302653 * (4 / math.sqrt(3)) / math.sqrt(3), rel=1e-6)
    assert score.spent == pytest.approx(1 / 3)
    assert "| truthful | 1.67 of 33% spent (−0.33 ± 5.74) |" in markdown(pa.Table.from_pylist(rows))


@pytest.mark.slow
def test_two_seeds_from_play_to_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path), "2"]) == 0
    table = capsys.readouterr().out
    results, curves = pq.read_table(tmp_path / "contest.parquet"), pq.read_table(tmp_path / "contest-spend.parquet")
    entered = [(market, name) for market in MARKETS for name in CONTESTANTS if plays(name, market)]
    assert results.num_rows == 2 * len(entered) == 108
    assert set(zip(results["market"].to_pylist(), results["contestant"].to_pylist(), strict=True)) == set(entered)
    assert all(0 < row["spend"] <= row["budget"] for row in results.to_pylist())
    assert curves.num_rows == 108 * 48
    heard = pq.read_table(tmp_path / "feedback.parquet")
    assert table == markdown(results) + "\n" + feedback_markdown(heard)
    scores_of = surplus_of(heard)
    assert heard.num_rows == 2 * len(AFTER) * len(GUESSES) * (1 + len(LEARNERS)) == 2 * len(AFTER) * len(scores_of)
    for guess in GUESSES:
        fixed, silent, told = (scores_of[guess, f].mean for f in (FIXED, *list(LEARNERS)[:: len(LEARNERS) - 1]))
        assert fixed[-1] < 0.7 < 0.97 < silent[-1] < told[-1] < 1.01
        assert silent[1] < told[1]
    by = scores(results)
    assert all(by[market, "truthful, adaptive"].difference > 0 for market in MARKETS)


def test_the_page_keeps_its_words_and_gets_the_table(tmp_path: Path) -> None:
    from experiments.contest.__main__ import _put

    page = tmp_path / "strategies.md"
    page.write_text("before\n<!-- contest, made by x -->\nold\n<!-- end of contest -->\nafter\n")
    _put(page, "contest", "| new |\n")
    assert page.read_text() == "before\n<!-- contest, made by x -->\n| new |\n<!-- end of contest -->\nafter\n"


@pytest.mark.parametrize("arguments", [[], ["a", "b", "c"], [".", "1"], [".", "many"]])
def test_what_cannot_be_meant_is_told(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    assert "usage: " in capsys.readouterr().err


def test_a_folder_that_is_none_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "no")]) == 1
    assert "is no folder" in capsys.readouterr().err
