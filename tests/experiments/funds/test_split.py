"""Splits against calculus and brute force; bounds that disagree."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.errors import StudyError
from experiments.funds.split import Response, best_split, to_target_efficiency, to_target_romi
from experiments.romi.families import FAMILIES


def root(a: float, *, margin: float = 0.4, low: float = 0.0, high: float = 1000.0, name: str = "c") -> Response:
    """a sqrt(x)."""
    return Response(name, lambda s: a * math.sqrt(s), lambda s: a / 2 / math.sqrt(s), margin, low, high)


def test_a_thousand_over_three_square_roots() -> None:
    """Equal slopes: spend in proportion to a^2, so 1000 * (10000, 3600, 900) / 14500."""
    split = best_split([root(100), root(60), root(30)], 1000.0)
    assert split.spend == pytest.approx((689.6552, 248.2759, 62.0690), abs=5e-3)
    assert split.value == pytest.approx(3807.89, abs=5e-3)


def test_bounds_hold_and_the_rest_is_shared() -> None:
    split = best_split([root(100, high=300.0), root(60), root(30, low=200.0)], 1000.0)
    assert split.spend == pytest.approx((300.0, 500.0, 200.0), rel=1e-6)
    assert sum(best_split([root(100, high=300.0), root(60, high=100.0)], 1000.0).spend) == pytest.approx(400.0)


def test_target_romi_and_target_efficiency() -> None:
    """One root, margin 0.4: ROMI = 40 / sqrt(x) - 1, one more unit brings 50 / sqrt(x)."""
    assert to_target_romi([root(100)], 1000.0, 1.0).spend[0] == pytest.approx(400.0, rel=1e-4)
    assert to_target_efficiency([root(100)], 1000.0, 2.5).spend[0] == pytest.approx(400.0, rel=2e-3)
    assert to_target_romi([root(100)], 1000.0, 0.1).spend[0] == pytest.approx(1000.0)
    with pytest.raises(StudyError, match="cannot be reached"):
        to_target_romi([root(100, low=900.0)], 1000.0, 3.0)


def test_bounds_that_disagree_are_refused() -> None:
    with pytest.raises(StudyError, match="lower bounds alone add up to 1100"):
        best_split([root(100, low=600.0), root(60, low=500.0)], 1000.0)
    with pytest.raises(StudyError, match=r"lower bound .* is above"):
        best_split([root(100, low=600.0, high=500.0)], 1000.0)


@settings(max_examples=25)
@given(
    a=st.tuples(st.floats(10, 900), st.floats(10, 900)),
    k=st.tuples(st.floats(20, 400), st.floats(20, 400)),
    h=st.tuples(st.floats(0.5, 3.0), st.floats(0.5, 3.0)),
    total=st.floats(50, 900),
)
def test_no_split_on_a_grid_is_better(
    a: tuple[float, float], k: tuple[float, float], h: tuple[float, float], total: float
) -> None:
    """Also S-shaped ones, where equal slopes alone would be fooled; the envelope may lose a little there."""
    hill = FAMILIES["hill"]
    responses = [
        Response(
            str(c),
            lambda s, c=c: float(hill.formula(np.float64(s), a[c], k[c], h[c])),
            lambda s, c=c: float(hill.slope(np.float64(s), a[c], k[c], h[c])),
            0.5,
            0.0,
            total,
        )
        for c in range(2)
    ]
    split = best_split(responses, total)
    assert sum(split.spend) <= total * (1 + 1e-9)
    best = max(
        sum(r.value(s) for r, s in zip(responses, (x, total - x), strict=True) if s > 0)
        for x in itertools.chain(np.linspace(0.0, total, 201))
    )
    concave = max(h) <= 1.0
    assert split.value >= best * (1 - 1e-6 if concave else 0.75)
