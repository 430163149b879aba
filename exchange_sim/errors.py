"""Errors of the market.

MarketError     the market was asked for something impossible (a programmer's mistake; scenarios are checked earlier)
ServeError      the exchange's service cannot be started
"""

from __future__ import annotations


class MarketError(Exception):
    """The market was asked for something impossible."""


class ServeError(Exception):
    """The exchange's service cannot be started; the message says what to change."""
