"""Errors of the wire.

WireError           something on the wire breaks the specification
└── MoneyError      a price that is no number, negative or beyond what nanos can hold
"""

from __future__ import annotations


class WireError(Exception):
    """Something on the wire breaks the specification."""


class MoneyError(WireError):
    """A price that is no number, negative or beyond what nanos can hold."""
