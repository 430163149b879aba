"""Numbers as people read them."""

from __future__ import annotations

import pytest

from experiments.report import words


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        (words.short(0), "0"),
        (words.short(999), "999"),
        (words.short(999.9), "1k"),
        (words.short(1_234_567), "1.23M"),
        (words.short(-2_500), "-2.5k"),
        (words.short(3.2e9), "3.2B"),
        (words.percent(0.1234), "12.3\u00a0%"),
        (words.percent(0.0001), "<\u00a00.1\u00a0%"),
        (words.percent(0.0), "0.0\u00a0%"),
        (words.signed_percent(-0.5), "−50\u00a0%"),
        (words.signed_percent(12.345), "+1,234\u00a0%"),
        (words.money(1234.5, "EUR"), "€1,234"),
        (words.money(12.345, "USD"), "$12.35"),
        (words.money(0.0123, "GBP"), "£0.0123"),
        (words.money(-3.0, "SEK"), "−SEK 3.00"),
        (words.money(0.0, "EUR"), "€0.00"),
        (words.number(-1.234), "−1.23"),
        (words.clip("a" * 30, 10), "a" * 9 + "…"),
        (words.fate_name("lost_notice"), "lost notice"),
    ],
)
def test_numbers_read_well(said: str, wanted: str) -> None:
    assert said == wanted


def test_the_unknown_is_a_dash() -> None:
    said = {words.count(None), words.short(None), words.percent(None), words.signed_percent(None), words.number(None)}
    assert said | {words.money(None, "EUR")} == {words.DASH}
