"""What the accounts keep of a notice, as it goes to disk and comes back. Money in nanos, times in s since the start."""

from __future__ import annotations

from enum import IntEnum

from msgspec import Struct


class Sort(IntEnum):
    """Kinds of notices, as numbers on disk."""

    WIN = 0
    BILLING = 1
    LOSS = 2
    CLICK = 3
    CONVERSION = 4


class How(IntEnum):
    """What became of a notice."""

    NOTED = 0
    ON_TIME = 1
    """A billing paid for by what the bid's maker holds."""
    LATE = 2
    """A billing paid for by what nobody holds."""
    REFUSED = 3
    """A billing nobody can pay for."""
    REPEATED = 4
    """Heard before; never on disk, nor are the next three."""
    DISPUTED = 5
    """Heard and refused before."""
    FORGOTTEN = 6
    """Too old to tell whether it was heard before."""
    CONTRADICTED = 7
    """A billing heard and paid before, at another price."""


class Entry(Struct, gc=False):
    """One notice. `what_ix` is the touch (slot and context), of a conversion the product; `nanos` the price, or the
    value of the conversion."""

    sort: int
    id: str
    owner: int
    """Number of the worker that made the bid; 0: no bid."""
    campaign_no: int
    person_ix: int
    what_ix: int
    nanos: int
    day_ix: int
    made_s: float
    """When the bid was made; of a conversion, the Unix time its URL expires at (0: not known)."""
    how: int = How.NOTED
    heard_s: float = 0.0
    to_beat_nanos: int = 0
    """Of a loss or a billing: the least bid that would have won, as told; 0: not told."""
