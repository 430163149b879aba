"""Bids in flight: what is remembered, for how long, and never more than so many."""

from __future__ import annotations

from bidder.reservations import Made, Reservations, State


def made(made_s: float) -> Made:
    """A bid."""
    return Made(0, 0, 0, 1, 1, 0, made_s)


def test_those_that_hold_nothing_are_forgotten_when_there_are_too_many() -> None:
    """Ten bids a second, held for a second, at most five more remembered: memory stays flat, those held stay known."""
    bids = Reservations(1.0, 3600.0, most=5)
    expired = 0
    for k in range(200):
        now_s = k / 10
        bids.add(str(k), made(now_s))
        expired += sum(1 for _ in bids.overdue(now_s))
        assert bids.known <= 10
        for held in range(max(0, k - 9), k + 1):
            assert bids.find(str(held)) is not None
    assert expired == 190
    assert bids.find("150") is None
    few = Reservations(0.1, 3600.0, most=5)
    for k in range(50):
        few.add(str(k), made(k))
        list(few.overdue(k))
    assert [k for k in range(50) if few.find(str(k)) is not None] == [45, 46, 47, 48, 49]


def test_there_is_nothing_to_do_before_it_is_due() -> None:
    """`due_s` is when the oldest bid must be given up or forgotten, whichever is next."""
    bids = Reservations(10.0, 60.0)
    assert bids.due_s > 1e9
    bids.add("a", made(5.0))
    bids.add("b", made(7.0))
    assert bids.due_s == 15.0
    assert [bid.made_s for bid in bids.overdue(15.0)] == [5.0]
    settled = bids.find("b")
    assert settled is not None
    settled.state = State.WON
    assert bids.due_s == 17.0
    assert list(bids.overdue(20.0)) == []
    assert bids.due_s == 65.0
    assert list(bids.overdue(65.0)) == []
    assert (bids.find("a"), bids.find("b"), bids.due_s) == (None, settled, 67.0)
