"""The heap of purchases to come against a sorted list."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from exchange_sim.pending import PENDING, drop_first, push


@given(operations=st.lists(st.none() | st.integers(0, 30), max_size=120))
def test_earliest_first(operations: list[int | None]) -> None:
    """None takes the first; a number adds a purchase due then. Records stay whole, equal times come in any order."""
    heap, size = np.zeros(128, PENDING), np.zeros(1, np.int64)
    waiting: list[tuple[float, int]] = []
    for number, due in enumerate(operations):
        if due is not None:
            push(heap, size, float(due), number % 7, number, 10 * number, number % 5, number + 1)
            waiting.append((float(due), number))
        elif waiting:
            first = heap[0]
            number = int(first["person_ix"])
            assert first["due_s"] == min(waiting)[0]
            assert (float(first["due_s"]), number) in waiting
            assert first["value_nanos"] == 10 * number
            assert first["auction_ix"] == number + 1
            assert (first["product_ix"], first["campaign_ix"]) == (number % 7, number % 5)
            waiting.remove((float(first["due_s"]), number))
            drop_first(heap, size)
        assert size[0] == len(waiting)
