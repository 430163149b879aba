"""The data dictionary of studies: tables that `bidlab sweep`, `romi`, `measure` and their like write.

Same rules as the tables of a run (`experiments.results.dictionary`). Money in whole nanos of the currency, unless a
mean over seeds makes it a fraction: then it is in units of the currency and no column says nanos.
"""

from __future__ import annotations

from experiments.results.dictionary import F64, I64, ID, Column, Table

_CAMPAIGN = Column("campaign_id", ID, "", "campaign")

STUDIES: dict[str, Table] = {
    "sweep_settings": Table(
        "a setting of a cell of a sweep",
        (
            Column("cell", I64, "", "number of the cell within the sweep, from 0"),
            Column("cell_id", ID, "", "hash of its scenario and of the source; empty: the scenario was refused"),
            Column("status", ID, "", "done or failed"),
            Column("path", ID, "", "the setting, as --vary names it; seed for the seed"),
            Column("value", ID, "", "its value as text"),
            Column("number", F64, "", "its value as a number; null when it is none"),
        ),
    ),
    "sweep_campaigns": Table(
        "a campaign in a finished cell of a sweep",
        (
            Column("cell", I64, "", "number of the cell within the sweep, from 0"),
            Column("seed", I64, "", "seed of the cell"),
            _CAMPAIGN,
            Column("auctions", I64, "", "requests of the run"),
            Column("budget_nanos", I64, "nanos", "total budget"),
            Column("spend_nanos", I64, "nanos", "cost of the impressions bought"),
            Column("billed_nanos", I64, "nanos", "of that, booked by the bidder"),
            Column("bids", I64, "", "bids sent"),
            Column("impressions", I64, "", "impressions bought"),
            Column("clicks", I64, "", "clicks"),
            Column("attributed_conversions", I64, "", "purchases the last-touch rule credits"),
            Column("attributed_value_nanos", I64, "nanos", "value of those purchases"),
            Column("truth_reach", I64, "persons", "people who saw it at least once"),
            Column("truth_conversions", I64, "", "purchases its exposures caused"),
            Column("truth_value_nanos", I64, "nanos", "value they added (private goals: worth of what was bought)"),
            Column("margin", F64, "", "share of the value that is profit"),
            Column("truth_romi", F64, "", "(value added * margin - spend) / spend; null when nothing was spent"),
        ),
    ),
}

STUDIES_NULLABLE = frozenset({("sweep_settings", "number"), ("sweep_campaigns", "truth_romi")})
"""Columns of studies, as (table, column), that may be null."""
