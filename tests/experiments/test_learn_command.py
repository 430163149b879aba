"""`bidlab learn`: scores by hand, a made-up log, the real logs, a small scenario against its truth, and mistakes."""

from __future__ import annotations

import json
import math
from pathlib import Path
from random import Random

import numpy as np
import pytest
from typer.testing import CliRunner

from experiments.cli import app, commands
from experiments.learning.judged import judge_log
from experiments.learning.logs import RAW
from experiments.learning.scores import auc, calibration, log_loss

CASES = Path(__file__).parents[1] / "cases"
if not app.registered_commands:
    commands.register(app)


def run(*arguments: str) -> str:
    """What the command prints."""
    result = CliRunner().invoke(app, ["learn", *arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_scores_by_hand() -> None:
    y, p = np.array([1.0, 0.0, 1.0, 0.0]), np.array([0.9, 0.1, 0.4, 0.4])
    expected = -(math.log(0.9) + math.log(0.9) + math.log(0.4) + math.log(0.6)) / 4
    assert log_loss(y, p) == pytest.approx(expected)
    assert auc(y, p) == 3.5 / 4  # pairs: (.9, .1), (.9, .4), (.4, .1) and half of (.4, .4)
    assert auc(np.zeros(3), np.ones(3)) is None
    assert [(b.impressions, b.predicted, b.observed) for b in calibration(y, p, 2)] == [(2, 0.25, 0.5), (2, 0.65, 0.5)]


def raw_log(path: Path, rows: int, seed: int) -> Path:
    """iPinYou's layout; the click rate is 0.3 where the region is 1, else 0.1; tags say nothing."""
    rng, lines = Random(seed), []
    for _ in range(rows):
        region = rng.randrange(2)
        values = dict.fromkeys(RAW, "x") | {"click": str(int(rng.random() < (0.3 if region else 0.1)))}
        values |= {"region": str(region), "usertag": ",".join(str(rng.randrange(9)) for _ in range(3))}
        lines.append("\t".join(values.values()))
    path.write_text("\n".join(lines) + "\n")
    return path


def test_what_a_log_holds_is_learned(tmp_path: Path) -> None:
    """Log loss comes within 1 % of the entropy of the two rates; a constant is 6 % above it."""
    found = judge_log(raw_log(tmp_path / "a.tsv", 20_000, 1), raw_log(tmp_path / "b.tsv", 20_000, 2))
    entropy = -sum(p * math.log(p) + (1 - p) * math.log(1 - p) for p in (0.3, 0.1)) / 2
    model, mean = found
    assert (model.source, model.skipped, model.impressions) == ("model", 20_000, 20_000)
    assert model.log_loss == pytest.approx(entropy, rel=0.015)
    assert mean.log_loss > 1.04 * model.log_loss
    assert model.auc is not None
    assert model.auc == pytest.approx(0.64, abs=0.02)
    assert [b.observed / b.predicted for b in model.bins] == pytest.approx([1.0] * 10, abs=0.25)


def test_real_logs(shared_data: Path) -> None:
    """The figures docs/strategies.md quotes."""
    folder = shared_data / "ipinyou"
    mixed = judge_log(folder / "mixed.combined.csv.gz", None)[0]
    assert (mixed.impressions, mixed.outcomes) == (5514, 1053)
    assert mixed.log_loss == pytest.approx(0.4186, abs=2e-3)
    assert mixed.auc == pytest.approx(0.754, abs=3e-3)
    learned, given, mean = judge_log(folder / "2997.test.txt.gz", None)
    assert given.log_loss < learned.log_loss < mean.log_loss
    none = judge_log(folder / "2259.train.log.txt.gz", folder / "2259.test.log.txt.gz")[0]
    assert (none.impressions, none.outcomes, none.auc) == (4171, 0, None)


def test_a_scenario_is_judged_against_its_truth(tmp_path: Path) -> None:
    plot = tmp_path / "calibration.png"
    case = str(CASES / "parity-modelled.yaml")
    rows = json.loads(run(case, "--after", "500", "--set", "days=0.5", "--plot", str(plot), "--json"))
    by_name = {(row["name"], row["source"]): row for row in rows}
    assert set(by_name) >= {("tickets-cpc", source) for source in ("model", "mean", "constant")}
    for row in rows:
        assert row["skipped"] == 500
        assert 0.0 < row["oracle_log_loss"] <= row["log_loss"]
        assert sum(each["impressions"] for each in row["bins"]) == row["impressions"]
    assert plot.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere.txt"], "nowhere.txt: cannot be read: No such file"),
        (["learning"], "learning: no campaign with goal cpc or cpa"),
        (["learning", "--test", "x"], "--test is for logs"),
        (["x.txt", "--after", "3"], "--set and --after are for scenarios"),
        (["x.txt", "--plot", "x.gif"], "--plot x.gif: must end in .png"),
        (["learning", "--after", "-1"], "--after -1: must be a whole number from 0"),
    ],
)
def test_a_mistake_is_one_message(arguments: list[str], message: str) -> None:
    from experiments.errors import BidlabError

    with pytest.raises(BidlabError) as caught:
        CliRunner().invoke(app, ["learn", *arguments], catch_exceptions=False)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("line", "message"),
    [("1\t2", ":2: has 2 field(s); 27 are needed"), ("\t".join(["7"] * 27), ":2: click is '7'; it must be 0 or 1")],
)
def test_a_broken_row_is_named(tmp_path: Path, line: str, message: str) -> None:
    from experiments.errors import ReplayError

    path = raw_log(tmp_path / "log.tsv", 1, 1)
    path.write_text(path.read_text() + line + "\n")
    with pytest.raises(ReplayError) as caught:
        judge_log(path, None)
    assert str(caught.value).endswith(message)
