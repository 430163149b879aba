"""Errors of the audience platform.

AudienceError           records, segments or identities that contradict each other
├── SourceError         a source declaration or its file cannot be used; holds every problem found
├── SegmentError        a segment file cannot be used; holds every problem found
├── ConsentError        a consent decision that cannot be entered
└── StoreError          the folder of the audience cannot be read or written
"""

from __future__ import annotations


class AudienceError(Exception):
    """Records, segments or identities that contradict each other."""

    def __init__(self, message: str, problems: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.problems = problems or (message,)


class SourceError(AudienceError):
    """A source declaration or its file cannot be used; `problems` holds one line per mistake."""


class SegmentError(AudienceError):
    """A segment file cannot be used; `problems` holds one line per mistake."""


class ConsentError(AudienceError):
    """A consent decision that cannot be entered."""


class StoreError(AudienceError):
    """The folder of the audience cannot be read or written."""
