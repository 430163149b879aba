"""What one row of a bid log may hold, and the one message that says where a row breaks it.

Prices are whole numbers of the log's own price unit. They stop at 2**53 - 1, the last whole number a bid computed in
floating point can be compared with exactly.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from experiments.errors import ReplayError

COLUMNS = ("click", "price", "pctr")
"""The columns of a log, in the order of an iPinYou row."""

MAX_PRICE = 2**53 - 1

RULES = {
    "click": "0 or 1",
    "price": f"a whole number from 0 to {MAX_PRICE}, in the log's price unit",
    "pctr": "a probability from 0 to 1",
}

WHOLE = re.compile(r"[0-9]+")
SHOWN_CHARACTERS = 40


def all_valid(click: npt.NDArray[np.int64], price: npt.NDArray[np.int64], pctr: npt.NDArray[np.float64]) -> bool:
    """Whether every row keeps `RULES`; the three arrays have shape (rows,). NaN keeps none."""
    clicks_fit = np.all((click == 0) | (click == 1))
    prices_fit = np.all((price >= 0) & (price <= MAX_PRICE))
    return bool(clicks_fit and prices_fit and np.all((pctr >= 0.0) & (pctr <= 1.0)))


def checked_row(fields: Mapping[str, str], place: str) -> tuple[int, int, float]:
    """Return (click, price, pctr) of one row of texts; *place* (`file:line`) opens the message.

    Raises:
        ReplayError: a field breaks its rule; the message quotes field and rule.
    """
    for name in COLUMNS:
        if not _fits(name, fields[name]):
            raise ReplayError(f"{place}: {name} is {shown(fields[name])}; it must be {RULES[name]}")
    return int(fields["click"]), int(fields["price"]), float(fields["pctr"])


def shown(text: str) -> str:
    """Return *text* quoted and short enough for a message."""
    return repr(text if len(text) <= SHOWN_CHARACTERS else text[:SHOWN_CHARACTERS] + "…")


def _fits(name: str, text: str) -> bool:
    if name == "pctr":
        try:
            return "_" not in text and 0.0 <= float(text) <= 1.0
        except ValueError:
            return False
    # The length is checked first: turning a line of a million digits into an integer would take minutes.
    if not WHOLE.fullmatch(text) or len(text) > 20:
        return False
    return int(text) <= (1 if name == "click" else MAX_PRICE)
