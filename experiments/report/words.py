"""Numbers as people read them. Money arrives in units of the currency; what is unknown (None) is a dash."""

from __future__ import annotations

DASH = "–"
PER_CENT = "\u00a0%"
"""A no-break space keeps the sign with its number."""
_SYMBOLS = {"EUR": "€", "USD": "$", "GBP": "£", "JPY": "¥"}

FATE_NAMES = {
    "not_targeted": "not targeted",
    "no_consent": "no consent",
    "budget_gone": "budget gone",
    "capped": "frequency cap",
    "paced": "held back by pacing",
    "bad_bid": "unusable bid",
    "no_value": "worth nothing",
    "below_floor": "below the floor",
    "timed_out": "timed out",
    "outbid": "outbid",
    "won": "won",
    "outranked": "another of ours bid more",
}
"""How the report calls each fate, and the one further reason a campaign may have."""


def fate_name(fate: str) -> str:
    """Readable name of a fate or reason."""
    return FATE_NAMES.get(fate, fate.replace("_", " "))


def count(number: float | None) -> str:
    """1,234,567."""
    return DASH if number is None else f"{number:,.0f}"


def short(number: float | None, digits: int = 3) -> str:
    """1.23M: three significant digits and a suffix."""
    if number is None:
        return DASH
    for limit, suffix in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if abs(number) >= limit * 0.9995:
            return f"{number / limit:.{digits}g}{suffix}"
    return f"{number:.{digits}g}"


def percent(share: float | None, digits: int = 1) -> str:
    """12.3 %; a share too small to show is `< 0.1 %`, never 0."""
    if share is None:
        return DASH
    smallest = 10.0 ** -(digits + 2)
    if 0 < abs(share) < smallest / 2:
        return f"<\u00a0{smallest:.{digits}%}".replace("%", PER_CENT)
    return f"{share:.{digits}%}".replace("%", PER_CENT)


def signed_percent(share: float | None) -> str:
    """+12 %; a true minus sign for losses."""
    return DASH if share is None else f"{share:+,.0%}".replace("%", PER_CENT).replace("-", "−")


def money(amount: float | None, currency: str) -> str:
    """€1,235 from 1,000 on, €12.35 below that, €0.0012 for small unit costs."""
    if amount is None:
        return DASH
    symbol = _SYMBOLS.get(currency, f"{currency} ")
    size = abs(amount)
    digits = 0 if size >= 1000 else 2 if size >= 0.1 or size == 0 else 4
    return f"{'−' if amount < 0 else ''}{symbol}{size:,.{digits}f}"


def number(value: float | None, digits: int = 2) -> str:
    """12.34."""
    return DASH if value is None else f"{value:,.{digits}f}".replace("-", "−")


def clip(name: str, width: int = 26) -> str:
    """A name no wider than *width* characters."""
    return name if len(name) <= width else f"{name[: width - 1]}…"
