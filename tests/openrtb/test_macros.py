"""Macros: every one of the specification, its encodings, replaced once and never again."""

from __future__ import annotations

import base64
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openrtb.macros import NAMES, Settled, price_text, substitute_markup, substitute_url

SETTLED = Settled(
    *("auction", "imp", "response", "seat", "ad"),
    price_nanos=910_000,
    bid_nanos=1_000_000,
    currency="EUR",
    loss=0,
    min_to_win_nanos=900_000,
    multiplier=1,
    imp_ts_ms=1_700_000_000_123,
)


def test_every_macro_of_the_specification() -> None:
    text = "|".join(f"${{{name}}}" for name in NAMES)
    expected = "auction|response|imp|seat|ad|0.91|EUR|0.91|0|0.9|1|1700000000123"
    assert substitute_markup(text, SETTLED.values()) == expected


@pytest.mark.parametrize(
    ("macro", "text"),
    [
        ("${AUCTION_PRICE:B64}", base64.b64encode(b"0.91").decode()),
        ("${AUCTION_PRICE:B64URL}", "MC45MQ"),
        ("${AUCTION_PRICE:URL}", "0.91"),
        ("${AUCTION_PRICE:ROT13}", ""),
        ("${AUCTION_PRICE:}", ""),
        ("${AUCTION_PRICES}", "${AUCTION_PRICES}"),
        ("${auction_price}", "${auction_price}"),
        ("${OTHER}", "${OTHER}"),
        ("$AUCTION_PRICE", "$AUCTION_PRICE"),
    ],
)
def test_encodings_and_what_is_no_macro(macro: str, text: str) -> None:
    assert substitute_markup(f"<{macro}>", SETTLED.values()) == f"<{text}>"


def test_what_is_not_known_is_removed() -> None:
    values = Settled("a", "i").values()
    assert substitute_markup("[${AUCTION_PRICE}${AUCTION_PRICE:B64}${AUCTION_LOSS}${AUCTION_MBR}]", values) == "[]"


def test_a_value_is_never_looked_through_again() -> None:
    values = Settled("${AUCTION_PRICE}", "i", price_nanos=1).values()
    assert substitute_markup("${AUCTION_ID}", values) == "${AUCTION_PRICE}"


def test_a_value_cannot_add_a_parameter_to_a_url() -> None:
    values = Settled("x&p=0#", "i", price_nanos=2_000_000).values()
    url = substitute_url("http://b/n?id=${AUCTION_ID}&e=${AUCTION_ID:B64}&p=${AUCTION_PRICE}", values)
    query = parse_qs(urlsplit(url).query)
    assert query == {"id": ["x&p=0#"], "e": [base64.b64encode(b"x&p=0#").decode()], "p": ["2"]}


@given(st.integers(0, 10**15))
def test_a_price_s_text_keeps_every_nano(nanos: int) -> None:
    text = price_text(nanos)
    whole, _, rest = text.partition(".")
    assert int(whole) * 10**6 + int(rest.ljust(6, "0")) == nanos
    assert "e" not in text
