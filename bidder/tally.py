"""What a desk says of notices, and what it counts. Money in nanos."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple


class Heard(IntEnum):
    """What a notice did."""

    BOOKED = 0
    REPEATED = 1
    REFUSED = 2
    UNKNOWN = 3


class Spend(NamedTuple):
    """What a billing books; the order is the kernel's."""

    campaign_ix: int
    person_ix: int
    slot_ix: int
    price_nanos: int
    day_ix: int


@dataclass(slots=True)
class Counts:
    """What came over the wire."""

    requests: int = 0
    bids: int = 0
    invalid: int = 0
    """Requests that break the specification."""
    unconsented: int = 0
    """Requests about a person who may not be recognised."""
    wins: int = 0
    losses: int = 0
    expired: int = 0
    """Reservations nobody settled in time."""
    late: int = 0
    """Wins that came after their reservation had been given up."""
    refused: int = 0
    """Wins disputed: no budget left for a late one, or a price above the bid."""
    repeated: int = 0
    """Notices that said nothing new."""
    unknown: int = 0
    """Notices about bids nobody here remembers."""
