"""A run that adds up is found to; one row too few, one nano too much, is found too."""

from __future__ import annotations

import numpy as np
import pytest

from experiments.results.conservation import identities
from experiments.results.tables import build_tables
from tests.experiments import synthetic_run


@pytest.mark.parametrize("sizes", [{}, {"wins": 0}, {"products": 0}, {"wins": 0, "products": 0}, {"campaigns": 50}])
def test_the_made_up_run_adds_up(sizes: dict[str, int]) -> None:
    broken = [words for words, kept in identities(synthetic_run.tables(**sizes)) if not kept]
    assert broken == []


@pytest.mark.parametrize(
    ("table", "column", "words"),
    [
        ("fates", "requests", ["requests won", "fates add up", "each campaign's reasons add up"]),
        ("campaigns", "impressions", ["requests won"]),
        ("delivery", "spend_nanos", ["prices paid"]),
        ("slots", "requests", ["fates add up"]),
        ("campaigns", "clicks", ["exposures clicked"]),
        ("reasons", "requests", ["each campaign's reasons add up"]),
        ("reach", "truth_persons", ["each campaign's reach"]),
        ("campaigns", "attributed_conversions", ["purchases credited"]),
        ("campaigns", "truth_conversions", ["purchases caused"]),
    ],
)
def test_one_too_many_is_found(table: str, column: str, words: list[str]) -> None:
    columns = synthetic_run.columns()
    changed = np.array(columns[table][column])
    changed[-1] += 1
    columns[table][column] = changed
    broken = [said for said, kept in identities(build_tables(columns)) if not kept]
    assert len(broken) == len(words)
    assert all(said.startswith(word) for said, word in zip(broken, words, strict=True))


def test_a_nano_above_the_budget_is_found() -> None:
    columns = synthetic_run.columns()
    columns["campaigns"]["budget_nanos"] = np.array(columns["campaigns"]["billed_nanos"])
    assert all(kept for _, kept in identities(build_tables(columns)))
    columns["campaigns"]["budget_nanos"][2] -= 1
    broken = [words for words, kept in identities(build_tables(columns)) if not kept]
    assert broken == ["no campaign was billed more than its budget"]
