"""The shape of a week: how traffic rises and falls by the hour."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

# Two humps a day, noon and a higher one in the evening, as display logs show; quieter Saturday mornings.
_DAY = (30, 20, 14, 11, 11, 15, 25, 42, 60, 72, 80, 86, 90, 88, 84, 82, 84, 88, 94, 102, 108, 102, 80, 50)
_WEEKDAYS = (1.0, 1.0, 1.0, 1.0, 0.97, 0.9, 0.95)


def hour_weights(shape: str | Sequence[float]) -> NDArray[np.float64]:
    """168 weights, Monday 00:00 first: ``flat``, the built-in ``diurnal`` shape, or the ones given."""
    if isinstance(shape, str):
        if shape == "flat":
            return np.ones(168)
        return np.outer(_WEEKDAYS, _DAY).ravel().astype(np.float64)
    return np.array(shape, np.float64)
