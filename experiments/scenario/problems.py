"""What is wrong with a scenario: a path and a sentence, and the sentences that suggest a remedy."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import NamedTuple

Path = tuple[str | int, ...]


class Problem(NamedTuple):
    """One mistake: where it is in the scenario's tree and what to say about it."""

    path: Path
    message: str


def dotted(path: Path) -> str:
    """The path as people write it, for example ``campaigns.launch.caps.0.limit``."""
    return ".".join(str(part) for part in path)


def suggestion(word: str, known: Iterable[str], what: str = "known") -> str:
    """``did you mean X?`` when a known word is close, else the known words themselves (at most twelve)."""
    names = sorted({str(name) for name in known})
    by_lower = {name.lower(): name for name in names}
    close = difflib.get_close_matches(word.lower(), by_lower, n=1, cutoff=0.6)
    if close:
        return f"did you mean {by_lower[close[0]]}?"
    if not names:
        return "there are none" if what == "there are" else f"there is no {what} one"
    return f"{what}: {', '.join(names[:12])}{', ...' if len(names) > 12 else ''}"
