"""Whom a capture is about, where people come from an audience: noted while serving, and given back when it is repeated.

An audience is large and goes on changing, so a capture holds only the people it concerns: each one's row the first time
it matters, and all of those again when a newer version is taken.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bidder.codec import Audience
from bidder.core.book import Book
from bidder.room import blank_rows
from bidder.server.captured import Known, People, Renewed


class Watched:
    """An audience, and whom it was last asked for."""

    def __init__(self, audience: Audience) -> None:
        self._audience = audience
        self.last_ix = -1
        """Row of the last person looked up; -1: nobody, or not recognised."""
        self._told: set[int] = set()

    @property
    def rows(self) -> NDArray[np.uint64]:
        """uint64[rows, words]: the segment bitset of each person."""
        return self._audience.rows

    def row_ix(self, user_id: str | None) -> int:
        """Row of a wire identifier; -1: not recognised."""
        self.last_ix = self._audience.row_ix(user_id)
        return self.last_ix

    def unknown(self, person_ix: int) -> Known | None:
        """What a capture must be told before it can go on about this person; None: it knows."""
        if person_ix in self._told or not 0 <= person_ix < len(self.rows):
            return None
        self._told.add(person_ix)
        return self._known(person_ix)

    def renewed(self) -> Renewed:
        """What a capture must be told of a version just taken."""
        return Renewed(len(self.rows), [self._known(person_ix) for person_ix in sorted(self._told)])

    def _known(self, person_ix: int) -> Known:
        return Known(person_ix, self.rows[person_ix].tolist())


class Recorded:
    """The audience of a capture: it knows what the capture has told so far."""

    def __init__(self, people: People) -> None:
        self.rows = np.zeros((people.rows, people.words), np.uint64)
        self.segments = tuple(people.segments)
        self.person_ix = -1
        """Whom the request or notice under way is about."""

    def row_ix(self, user_id: str | None) -> int:
        """Row of whomever the capture names."""
        return self.person_ix

    def learn(self, known: Known) -> None:
        """Take in what is known of a person from here on."""
        self.rows[known.person_ix] = known.bits

    def renew(self, renewed: Renewed) -> None:
        """Take in a newer version."""
        rows = np.zeros((renewed.rows, self.rows.shape[1]), np.uint64)
        rows[: len(self.rows)] = self.rows[: len(rows)]
        self.rows = rows
        for known in renewed.known:
            self.learn(known)


def with_people(book: Book, count: int) -> Book:
    """The book with room for exactly *count* people, as the captured one had at that moment."""
    if len(book.persons) == count:
        return book
    persons = blank_rows(count, book.persons.dtype)
    persons[: len(book.persons)] = book.persons[:count]
    return book._replace(persons=persons)
