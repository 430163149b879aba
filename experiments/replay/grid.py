"""A grid of replays: every budget with every parameter of one rule over one log.

Parameters are what people type (`5,10,15` or `5:300:5`); budgets and spends are whole log price units.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import NamedTuple

import numpy as np

from experiments.errors import ReplayError
from experiments.replay.auctions import replay
from experiments.replay.log import INT64_MAX, BidLog
from experiments.replay.rules import BID_LIMIT, RULES

MAX_VALUES = 1_000_000


class Settings(NamedTuple):
    """How auctions are decided: ties, crossing the budget, rows per episode (None: the whole log), highest bid."""

    tie_wins: bool = False
    may_cross: bool = True
    episode_rows: int | None = None
    cap: int | None = None


class ReplayRow(NamedTuple):
    """One run, one tidy row; budget (per episode) and spend (over all episodes) in the log's price unit."""

    bid: str
    param: int | float
    budget: int
    bids: int
    wins: int
    clicks: int
    spend: int


def parse_grid(text: str, option: str) -> list[Decimal]:
    """Return the values of `5,10,15`, of `START:END:STEP` (end included) or of both mixed, in the order typed.

    Raises:
        ReplayError: it is no such list, or a value is not finite, or it has more than MAX_VALUES values.
    """
    values: list[Decimal] = []
    for item in text.split(","):
        bounds = [_number(part, text, option) for part in item.split(":")]
        if len(bounds) == 1:
            values += bounds
            continue
        if len(bounds) > 3:
            raise ReplayError(f"{option} {text}: a range is START:END or START:END:STEP, as in 5:300:5")
        start, end, step = bounds if len(bounds) == 3 else (*bounds, Decimal(1))
        if step <= 0 or end < start:
            raise ReplayError(f"{option} {text}: a range must go up from START to END by a STEP above 0")
        if len(values) + (end - start) / step >= MAX_VALUES:
            raise ReplayError(f"{option} {text}: holds more than {MAX_VALUES} values; take a larger step")
        values += [start + step * i for i in range(int((end - start) / step) + 1)]
    return values


def _number(text: str, whole_text: str, option: str) -> Decimal:
    try:
        value = Decimal(text.strip())
    except InvalidOperation:
        value = Decimal("NaN")
    # The bounds keep every value an ordinary double: neither infinite nor rounded to 0.
    if "_" in text or not value.is_finite() or (value != 0 and not -300 <= value.adjusted() <= 300):
        raise ReplayError(
            f"{option} {whole_text}: {text.strip()!r} is no number; write values as 5,10,15 or a range as 5:300:5"
        )
    return value


def parse_budgets(text: str) -> list[int]:
    """Return the budgets of a grid text.

    Raises:
        ReplayError: a budget is no whole number of price units from 1 to int64's end.
    """
    values = parse_grid(text, "--budget")
    for value in values:
        if value <= 0 or value != value.to_integral_value() or value > INT64_MAX:
            raise ReplayError(f"--budget {text}: {value} must be a whole number of the log's price units, above 0")
    return [int(value) for value in values]


def parse_params(text: str | None, bid: str) -> list[int | float]:
    """Return the parameters for rule *bid*; mcpc has none, its rows carry 1 unless told otherwise.

    A bid that is no rule of `RULES` (a programme) takes none at all.

    Raises:
        ReplayError: none was given where one is needed, or one is below the rule's range.
    """
    rule = RULES.get(bid)
    if rule is None:
        if text is not None:
            raise ReplayError(f"--param {text}: --bid {bid} has no parameter; leave it out")
        return [1]
    if text is None:
        if rule.uses_param:
            raise ReplayError(f"--bid {bid} needs --param, one value or several, as in 5,10,15 or 5:300:5")
        return [1]
    values = parse_grid(text, "--param")
    for value in values:
        if value < 0 or (rule.param_above_zero and value == 0):
            bound = "above 0" if rule.param_above_zero else "0 or more"
            raise ReplayError(f"--param {text}: {value} must be {bound} with --bid {bid}")
    return [int(v) if v == v.to_integral_value() and v < BID_LIMIT else float(v) for v in values]


def run_grid(
    log: BidLog,
    bid: str,
    scale: float,
    params: list[int | float],
    budgets: list[int],
    settings: Settings,
    on_run: Callable[[], None] | None = None,
) -> list[ReplayRow]:
    """Replay *log* once for each budget and parameter; rows come budget by budget, parameters in the order given.

    *scale* is the rule's own constant (see `rules`; not used by const). *on_run* is called after each run.
    """
    cap = BID_LIMIT if settings.cap is None else min(settings.cap, BID_LIMIT)
    episode_rows = min(settings.episode_rows or len(log.price), len(log.price))
    bids = np.empty(len(log.price), np.int64)
    rows: dict[tuple[int, int], ReplayRow] = {}
    for param_ix, param in enumerate(params):
        RULES[bid].fill(log.pctr, float(param), float(scale), cap, bids)
        for budget_ix, budget in enumerate(budgets):
            tally = replay(bids, log.price, log.click, budget, episode_rows, settings.tie_wins, settings.may_cross)
            rows[budget_ix, param_ix] = ReplayRow(bid, param, budget, *(int(count) for count in tally))
            if on_run is not None:
                on_run()
    return [rows[key] for key in sorted(rows)]
