"""What each view under way shows, where the requests of many are out at once, until all its slots are sold.

Slots are sold in the order in which their auctions end, which is that of the page unless answers take different times.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from exchange_sim.selling.rules import Pages
from exchange_sim.selling.separation import view_number


class Views:
    """Lends `Pages.on_view` to one view after another; nothing where nobody sells pages."""

    def __init__(self, pages: Pages) -> None:
        self._pages, self._view = pages.slots, pages.on_view
        self._slots: list[int] = pages.slots["slots"].tolist() if len(pages.slots) else []
        self._kept: dict[int, tuple[int, NDArray[np.int64]]] = {}

    def __len__(self) -> int:
        """Views under way."""
        return len(self._kept)

    def take_up(self, slot_ix: int, auction_ix: int) -> None:
        """A request is about to be sold: what its view shows is at hand, if any of it has been sold before."""
        if self._slots and self._slots[slot_ix]:
            number = int(view_number(self._pages, slot_ix, auction_ix))
            if number in self._kept:
                self._view[:] = self._kept[number][1]

    def put_down(self, slot_ix: int, auction_ix: int) -> None:
        """It has been sold: keep what its view shows now for the slots that are left."""
        if self._slots and self._slots[slot_ix]:
            number = int(view_number(self._pages, slot_ix, auction_ix))
            sold = self._kept.pop(number, (0, self._view))[0] + 1
            if sold < self._slots[slot_ix]:
                self._kept[number] = (sold, self._view.copy())
