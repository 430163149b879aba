"""Runs cells one after the other and keeps the last market: drawing a million people costs as much as a short run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from bidder.core.book import Book
from experiments.accounting.tables import campaign_columns
from experiments.audience.exposed import exposed
from experiments.compile.reaction import fresh_reaction
from experiments.compile.selling import fresh_selling
from experiments.errors import BidlabError
from experiments.ledger import Ledger
from experiments.results.tables import build_table
from experiments.run import DRIVERS
from experiments.setting import Setting, make_ready
from experiments.sweep.cell import Cell, Failure, Measured, Outcome, market_key
from experiments.sweep.groups import groups_of


class Laboratory:
    """One market at a time, in which any number of plans are tried."""

    def __init__(self, check: Callable[[], None] | None = None) -> None:
        self._check = check
        """Called at every tick; may raise to stop."""
        self._key = ""
        self._setting: Setting | None = None

    def run(self, cell: Cell) -> Outcome:
        """What comes of *cell*; what goes wrong inside becomes a `Failure`, so that the others can go on."""
        try:
            return measure(*self.drive(cell), cell.by)
        except Exception as error:
            kind = "mistake" if isinstance(error, BidlabError) else type(error).__name__
            return Failure(kind, str(error) or type(error).__name__)

    def drive(self, cell: Cell) -> tuple[Setting, Ledger, Book]:
        """Run *cell* and hand over the ledger itself."""
        setting = self._made_ready(cell)
        check = self._check
        progress = None if check is None else lambda time_s, auctions, spent_nanos: check()
        ledger, book = DRIVERS[cell.scenario.driver](setting, progress)
        return setting, ledger, book

    def _made_ready(self, cell: Cell) -> Setting:
        key = market_key(cell.scenario)
        if self._setting is None or key != self._key:
            self._setting = None  # two markets of fifty million people need not fit into memory at once
            self._setting, self._key = make_ready(cell.scenario), key
        else:
            world = self._setting.world
            world.stock.fill(0.0)
            world.verification.filtered.fill(0)
            # What deals have delivered, sellers have learned and people have felt belongs to the last cell.
            fresh = world._replace(selling=fresh_selling(world.selling), reaction=fresh_reaction(world.reaction))
            self._setting = replace(self._setting, world=fresh)
        return with_campaigns(self._setting, cell)


def with_campaigns(setting: Setting, cell: Cell) -> Setting:
    """The same market and people with the campaigns of *cell*."""
    from experiments.compile.buyer import compile_plans

    plans = tuple(
        replace(plan, total_nanos=0) if plan.campaign_id in cell.off else plan for plan in compile_plans(cell.scenario)
    )
    return replace(setting, scenario=cell.scenario, plans=plans)


def measure(setting: Setting, ledger: Ledger, book: Book, by: str = "") -> Measured:
    """The figures of a run that a study needs; *by*: for groups of people too."""
    names = [plan.campaign_id for plan in setting.plans]
    columns = campaign_columns(setting, ledger, book, names, exposed(setting, ledger))
    rows = build_table("campaigns", columns).to_pylist()
    groups = groups_of(setting, ledger, by) if by else []
    return Measured(ledger.auctions, rows, _products(setting, ledger), groups)


def _products(setting: Setting, ledger: Ledger) -> list[dict[str, Any]]:
    """All purchases by product, whoever or whatever brought them about."""
    rows, found = ledger.purchases, []
    for g, (product_id, product) in enumerate(setting.scenario.products.items()):
        bought = rows[rows["product_ix"] == g]
        organic = bought[bought["caused_by_ix"] < 0]
        credited = bought[bought["attributed_ix"] >= 0]
        found.append(
            {
                "product_id": product_id,
                "margin": product.margin,
                "purchases": len(bought),
                "value_nanos": int(np.sum(bought["value_nanos"])),
                "organic_purchases": len(organic),
                "organic_value_nanos": int(np.sum(organic["value_nanos"])),
                "credited_value_nanos": int(np.sum(credited["value_nanos"])),
            }
        )
    return found
