"""Parameter and budget grids as people type them."""

from __future__ import annotations

import pytest

from experiments.errors import ReplayError
from experiments.replay.grid import parse_budgets, parse_params


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("5", [5]),
        ("5,10,15", [5, 10, 15]),
        ("5:20:5", [5, 10, 15, 20]),
        ("5:19:5", [5, 10, 15]),
        ("2:4", [2, 3, 4]),
        ("7:7:5", [7]),
        ("0.1:0.3:0.1", [0.1, 0.2, 0.3]),
        ("1e-7, 3:5:2", [1e-7, 3, 5]),
    ],
)
def test_params(text: str, expected: list[float]) -> None:
    assert parse_params(text, "lin") == expected


def test_the_whole_range_of_the_help_text() -> None:
    assert parse_params("5:300:5", "const") == list(range(5, 301, 5))


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "''"),
        ("5,,6", "''"),
        ("five", "'five'"),
        ("nan", "'nan'"),
        ("inf", "'inf'"),
        ("1_0", "'1_0'"),
        ("1e-400", "'1e-400'"),
        ("1:2:3:4", "START:END"),
        ("10:5:1", "go up"),
        ("5:10:0", "go up"),
        ("5:10:-1", "go up"),
        ("0:1e300:1e-9", "1000000 values"),
        ("-5", "-5 must be 0 or more"),
    ],
)
def test_bad_params(text: str, named: str) -> None:
    with pytest.raises(ReplayError) as caught:
        parse_params(text, "const")
    assert str(caught.value).startswith("--param") or "must be" in str(caught.value)
    assert named in str(caught.value)


def test_ortb1_needs_a_lambda_above_zero() -> None:
    with pytest.raises(ReplayError, match="above 0"):
        parse_params("0", "ortb1")


def test_only_mcpc_goes_without_a_parameter() -> None:
    assert parse_params(None, "mcpc") == [1]
    with pytest.raises(ReplayError, match="--bid lin needs --param"):
        parse_params(None, "lin")


def test_budgets() -> None:
    assert parse_budgets("1969,4308574,1e6") == [1969, 4308574, 1_000_000]


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "nan", "9223372036854775808", "x"])
def test_bad_budgets(text: str) -> None:
    with pytest.raises(ReplayError, match="--budget"):
        parse_budgets(text)
