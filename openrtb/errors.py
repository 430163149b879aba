"""Errors of the wire.

WireError               something on the wire breaks the specification
├── InvalidMessage      a message cannot be read; says where and which rule
├── MoneyError          a price that is no number, negative or beyond what nanos can hold
├── NotPacked           a body that is said to be gzip and is not
└── TooLarge            a body beyond what is read
"""

from __future__ import annotations


class WireError(Exception):
    """Something on the wire breaks the specification."""


class InvalidMessage(WireError):
    """A message that cannot be read: `path` as in `imp[0].banner.w` (empty: the whole body), and the broken `rule`."""

    def __init__(self, path: str, rule: str) -> None:
        super().__init__(f"{path or 'body'}: {rule}")
        self.path = path
        self.rule = rule


class MoneyError(WireError):
    """A price that is no number, negative or beyond what nanos can hold."""


class NotPacked(WireError):
    """A body that is said to be gzip and is not, or not one whole stream of it."""


class TooLarge(WireError):
    """A body beyond what is read."""
