"""Attribution against plain counts, brute force and the real paths; sizes of experiments against the textbook."""

from __future__ import annotations

import csv
import gzip
import itertools
import json
import math
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest

from experiments.drivers.batch import run_batch
from experiments.errors import StudyError
from experiments.measure.attribution import RULES, attribute, transitions
from experiments.measure.paths import Paths, read_paths
from experiments.measure.power import people_per_arm, smallest_lift
from experiments.measure.run_paths import paths_of_run
from experiments.scenario.loader import load
from experiments.setting import make_ready
from tests.command_line import bidlab

SMALL_CSV = """path,total_conversions,total_conversion_value,total_null
a > b > c,3,30,1
b,2,8,4
c > c > a,1,5,0
a > b,0,0,6
"""


def paths_in(tmp_path: Path, text: str = SMALL_CSV) -> Paths:
    """Paths written and read back."""
    file = tmp_path / "paths.csv"
    file.write_text(text)
    return read_paths(file)


def test_small_paths_by_hand(tmp_path: Path) -> None:
    paths = paths_in(tmp_path)
    found = {
        name: dict(zip(paths.channels, c.conversions.tolist(), strict=True)) for name, c in attribute(paths).items()
    }
    assert found["first"] == {"a": 3, "b": 2, "c": 1}
    assert found["last"] == {"a": 1, "b": 2, "c": 3}
    assert found["linear"] == pytest.approx({"a": 1 + 1 / 3, "b": 3, "c": 1 + 2 / 3})
    assert found["position"] == pytest.approx({"a": 1.2 + 0.4, "b": 0.6 + 2, "c": 1.2 + 0.6})
    assert found["time_decay"] == pytest.approx({"a": 3 / 7 + 4 / 7, "b": 6 / 7 + 2, "c": 12 / 7 + 3 / 7})
    assert found["shapley"] == pytest.approx({"a": 1 + 0.5, "b": 1 + 2, "c": 1 + 0.5})
    for credit in attribute(paths).values():
        assert credit.conversions.sum() == pytest.approx(6)
        assert credit.value.sum() == pytest.approx(43)


def test_shapley_is_the_average_over_all_orders(tmp_path: Path) -> None:
    paths = paths_in(tmp_path)

    def worth(members: set[int]) -> float:
        return sum(paths.conversions[p] for p in range(len(paths)) if set(paths.path(p).tolist()) <= members)

    value, orders = np.zeros(3), list(itertools.permutations(range(3)))
    for order in orders:
        for k, c in enumerate(order):
            value[c] += worth(set(order[: k + 1])) - worth(set(order[:k]))
    assert RULES["shapley"](paths).conversions == pytest.approx(value / len(orders))


def test_markov_s_removal_effects_by_walking_the_chain(tmp_path: Path) -> None:
    """The same chain iterated step by step instead of solved."""
    paths = paths_in(tmp_path)
    steps = transitions(paths)

    def bought(without: int) -> float:
        at = np.zeros(len(steps))
        at[3] = 1.0
        done = 0.0
        for _ in range(500):
            if without >= 0:
                at[without] = 0.0
            sums = steps.sum(axis=1)
            at = sum((at[s] * steps[s] / sums[s] for s in range(4) if sums[s] > 0), np.zeros(len(steps)))
            done += at[4]
            at[4] = at[5] = 0.0
        return float(done)

    effects = np.array([1 - bought(c) / bought(-1) for c in range(3)])
    assert RULES["markov"](paths).conversions == pytest.approx(6 * effects / effects.sum())


def test_real_paths_against_a_plain_count(shared_data: Path) -> None:
    file = shared_data / "attribution" / "paths.csv.gz"
    paths, counts = read_paths(file), defaultdict(Counter)
    total = total_value = 0.0
    with gzip.open(file, "rt") as text:
        for row in csv.DictReader(text):
            names, sold = row["path"].split(" > "), float(row["total_conversions"])
            total, total_value = total + sold, total_value + float(row["total_conversion_value"])
            counts["first"][names[0]] += sold
            counts["last"][names[-1]] += sold
            for k, name in enumerate(names):
                counts["linear"][name] += sold / len(names)
                middle = k not in (0, len(names) - 1)
                part = 1 / len(names) if len(names) < 3 else 0.2 / (len(names) - 2) if middle else 0.4
                counts["position"][name] += sold * part
    assert len(paths) == 10_000
    credits = attribute(paths)
    for rule, expected in counts.items():
        got = dict(zip(paths.channels, credits[rule].conversions.tolist(), strict=True))
        assert got == pytest.approx(dict(expected), rel=1e-12), rule
    assert (credits["first"].conversions == [counts["first"][name] for name in paths.channels]).all()
    for credit in credits.values():
        assert credit.conversions.sum() == pytest.approx(total, rel=1e-12)
        assert credit.value.sum() == pytest.approx(total_value, rel=1e-12)


def test_markov_and_shapley_do_not_depend_on_the_order_of_rows_or_channels(shared_data: Path, tmp_path: Path) -> None:
    with gzip.open(shared_data / "attribution" / "paths.csv.gz", "rt") as text:
        head, *rows = text.read().splitlines()
    names = {"alpha": "zeta-1", "beta": "aaa", "iota": "mu"}
    turned = [
        " > ".join(names.get(n, n) for n in r.split(",")[0].split(" > ")) + "," + r.split(",", 1)[1] for r in rows
    ]
    np.random.default_rng(3).shuffle(turned)
    plain = paths_in(tmp_path, "\n".join([head, *rows]))
    other = paths_in(tmp_path, "\n".join([head, *turned]))
    for rule in ("markov", "shapley"):
        a = dict(zip(plain.channels, RULES[rule](plain).conversions, strict=True))
        b = dict(zip(other.channels, RULES[rule](other).conversions, strict=True))
        assert b == pytest.approx({names.get(name, name): value for name, value in a.items()}, rel=1e-9)


@pytest.mark.slow
def test_paths_of_a_run_give_last_touch_what_the_bidder_credits() -> None:
    """With one look-back for all, the rule `last` is the bidder's own; every credited purchase has a path."""
    setting = make_ready(load("learning", ["traffic.requests_per_day=20000", "people.count=2000"]))
    ledger, book = run_batch(setting)
    product = next(iter(setting.scenario.products))
    paths = paths_of_run(setting, ledger, product)
    assert RULES["last"](paths).conversions.tolist() == book.campaigns["conversions"].tolist()
    assert paths.conversions.sum() > 0
    assert paths.nulls.sum() > 0
    assert paths.ages_s is not None
    assert (paths.ages_s >= 0).all()
    for credit in attribute(paths).values():
        assert credit.conversions.sum() == pytest.approx(paths.conversions.sum())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("path,total_conversions\na,1\n", "columns missing: total_conversion_value, total_null"),
        (SMALL_CSV + "a > > b,1,1,1\n", ":6: path"),
        (SMALL_CSV + "a,-1,1,1\n", ":6: total_conversions"),
        (SMALL_CSV + "a,1,nan,1\n", ":6: total_conversion_value"),
        ("path,total_conversions,total_conversion_value,total_null\n", "holds no path"),
    ],
)
def test_bad_paths_are_told_with_their_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(StudyError, match=said):
        paths_in(tmp_path, text)


def test_the_textbook_s_sample_size() -> None:
    assert people_per_arm(0.01, 0.10) == 163_096
    assert smallest_lift(0.01, 163_096) == pytest.approx(0.10, rel=1e-5)
    assert math.isinf(smallest_lift(0.5, 3))
    for bad in ((0.0, 0.1), (0.5, 1.5), (0.5, 0.0)):
        with pytest.raises(StudyError):
            people_per_arm(*bad)


@pytest.mark.slow
def test_the_commands(tmp_path: Path) -> None:
    done = bidlab(tmp_path, "measure", "power", "--rate", "0.01", "--lift", "0.1", "--json")
    assert json.loads(done.stdout)["people_per_arm"] == 163_096
    done = bidlab(tmp_path, "measure", "attribution", "learning", "--json")
    assert done.code == 0, done.stderr
    told = json.loads(done.stdout)
    assert {row["rule"] for row in told} == {*RULES, "truth"}
