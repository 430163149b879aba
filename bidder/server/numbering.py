"""Who is in which row of the audience, as far as the accounts go by it. Times in s since the start of the scenario."""

from __future__ import annotations

from collections.abc import Sequence

from bidder.server.store import NUMBERED_S, STRANGERS_UNTIL_S, Session


def number_people(session: Session, numbering: str, moved: Sequence[int] | None = None) -> bool:
    """From now on people are numbered like this. If they were numbered otherwise, notices so far are about whoever is
    where *moved* says (by row before; below 0: gone), or about nobody. Returns whether it is about nobody."""
    before = session.execute("SELECT value FROM meta WHERE name = 'numbering'")
    session.set_meta("numbering", numbering)
    if before in ([], [(numbering,)]):
        return False
    session.set_meta(NUMBERED_S, repr(session.now_s))
    if moved is None:
        session.set_meta(STRANGERS_UNTIL_S, repr(session.now_s))
    session.execute("CREATE TEMP TABLE moved (old INTEGER PRIMARY KEY, new INTEGER)")
    for (row,) in session.execute("SELECT DISTINCT person FROM notices WHERE person >= 0"):
        if moved is not None and row < len(moved):
            session.execute("INSERT INTO moved VALUES (?, max(?, -1))", row, moved[row])
    session.execute(
        "UPDATE notices SET person = coalesce((SELECT new FROM moved WHERE old = person), -1) WHERE person >= 0"
    )
    session.execute("DROP TABLE moved")
    return moved is None
