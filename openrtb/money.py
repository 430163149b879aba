"""Money: int64 nanos of the currency per impression inside, CPM or currency units as floats at the edges.

1 CPM unit = 1,000,000 nanos per impression; 1 currency unit = 1,000,000,000 nanos.
"""

from __future__ import annotations

from openrtb.errors import MoneyError

NANOS_PER_CPM = 1_000_000
NANOS_PER_UNIT = 1_000_000_000
HIGHEST_CPM = 9e9
"""Above it a float no longer tells one nano from the next."""


def cpm_to_nanos(cpm: float) -> int:
    """Price per thousand to nanos per impression, to the nearest nano; exact inverse of `nanos_to_cpm` below 9e15."""
    return round(cpm * NANOS_PER_CPM)


def price_nanos(cpm: float) -> int:
    """A price somebody else sent, in nanos per impression; raises `MoneyError` for NaN, negative or absurd ones."""
    if not 0.0 <= cpm <= HIGHEST_CPM:
        raise MoneyError(f"price {cpm!r} CPM is not between 0 and {HIGHEST_CPM:.0f}")
    return round(cpm * NANOS_PER_CPM)


def nanos_to_cpm(nanos: int) -> float:
    """Nanos per impression to price per thousand."""
    return nanos / NANOS_PER_CPM


def units_to_nanos(units: float) -> int:
    """Currency units to nanos, to the nearest nano."""
    return round(units * NANOS_PER_UNIT)


def nanos_to_units(nanos: int) -> float:
    """Nanos to currency units."""
    return nanos / NANOS_PER_UNIT
