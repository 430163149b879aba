"""Errors of the market.

MarketError     the market was asked for something impossible (a programmer's mistake; scenarios are checked earlier)
"""

from __future__ import annotations


class MarketError(Exception):
    """The market was asked for something impossible."""
