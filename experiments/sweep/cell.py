"""A cell: one scenario, with some campaigns switched off, and what came of running it. Money in int64 nanos.

Switched off means: the campaign is there and never bids. Everything else draws the same numbers (`exchange_sim.draws`),
so a cell and its twin with a campaign off show the same people with the same luck.
"""

from __future__ import annotations

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from experiments.results.manifest import versions
from experiments.scenario.loader import scenario_hash
from experiments.scenario.models import Scenario

PACKAGES = ("openrtb", "dmp", "bidder", "exchange_sim", "experiments")
SAID_ONLY = ("cli", "report", "romi", "funds", "measure", "compare")
"""Folders of `experiments` that read results and make none; the tables of a study name them in its manifest."""


class Cell(NamedTuple):
    """What is run."""

    scenario: Scenario
    off: tuple[str, ...] = ()
    """Campaigns that never bid, sorted."""
    by: str = ""
    """Groups of people to tell apart (`experiments.sweep.groups`); empty: none."""


class Measured(NamedTuple):
    """What came of a cell. Rows are plain dicts, so that they keep their bytes as JSON."""

    auctions: int
    campaigns: list[dict[str, Any]]
    """Rows of the table `campaigns` of the data dictionary."""
    products: list[dict[str, Any]]
    """product_id, margin, purchases, value_nanos, organic_purchases, organic_value_nanos, credited_value_nanos."""
    groups: list[dict[str, Any]] = []  # noqa: RUF012  a NamedTuple's default is never changed
    """Rows of `experiments.sweep.groups.groups_of`, when the cell asks for them."""

    def campaign(self, campaign_id: str) -> dict[str, Any]:
        """The row of one campaign; raises KeyError when there is none."""
        for row in self.campaigns:
            if row["campaign_id"] == campaign_id:
                return row
        raise KeyError(campaign_id)


class Failure(NamedTuple):
    """Why a cell has no result."""

    kind: str
    message: str


Outcome = Measured | Failure


@cache
def source_version() -> str:
    """Hash (16 hex digits) of every source file a cell's numbers depend on, and of the libraries' versions."""
    root = Path(__file__).parents[2]
    digest = hashlib.sha256(json.dumps(versions(), sort_keys=True).encode())
    for package in PACKAGES:
        for file in sorted((root / package).rglob("*.py")):
            parts = file.relative_to(root).parts
            if parts[0] == "experiments" and parts[1] in SAID_ONLY:
                continue
            digest.update("/".join(parts).encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:16]


def cell_id(cell: Cell) -> str:
    """Name of a cell: SHA-256 (32 hex digits) of the resolved scenario, what is off, and the source."""
    text = json.dumps([scenario_hash(cell.scenario), sorted(cell.off), cell.by, source_version()])
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def market_key(scenario: Scenario) -> str:
    """Equal for scenarios whose people, sellers and luck are the same, whatever their campaigns bid and may spend."""
    data = scenario.model_dump(mode="json", exclude={"campaigns", "name", "title"})
    data["campaigns"] = [
        [name, c.product, c.goal.model_dump(mode="json") if c.goal.kind == "private" else None, bool(c.target.geofence)]
        for name, c in scenario.campaigns.items()
    ]
    data["permissions"] = [
        [c.seat, c.pays, c.ad.model_dump(mode="json"), c.brand_safety.model_dump(mode="json")]
        for c in scenario.campaigns.values()
    ]
    if scenario.people.reaction is not None:  # how narrowly they aim
        data["segments_used"] = [c.target.segments.model_dump(mode="json") for c in scenario.campaigns.values()]
    return hashlib.sha256(json.dumps(data).encode()).hexdigest()[:16]


def to_json(measured: Measured) -> bytes:
    """A result as bytes: the same result, the same bytes."""
    return (json.dumps(measured._asdict(), separators=(",", ":"), allow_nan=False) + "\n").encode()


def from_json(content: bytes) -> Measured:
    """A result read back; raises ValueError, KeyError or TypeError when the bytes are not one."""
    return Measured(**json.loads(content))
