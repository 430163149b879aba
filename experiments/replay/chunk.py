"""What every reader of a log hands on: consecutive rows as arrays, and how far it has read."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

OnBytes = Callable[[int], None]
"""Told how many bytes of the file have been read so far."""


class Chunk(NamedTuple):
    """Consecutive rows of a log, valid by `checks.RULES`; three arrays of shape (rows,)."""

    click: npt.NDArray[np.uint8]
    price: npt.NDArray[np.int64]
    pctr: npt.NDArray[np.float64]
