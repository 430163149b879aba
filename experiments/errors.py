"""Errors of the composition root.

BidlabError                 a user's mistake or a broken environment: one message, exit code 1
├── ScenarioError           a scenario file cannot be used; holds every problem found, with its line
├── ReplayError             a bid log cannot be replayed
├── AudienceFault           the audience platform refused, in its own words
├── RunError                a run cannot be carried out or written
├── SweepError              a sweep cannot be set up or kept, or some of its cells failed
├── StudyError              a question about what money bought has no answer as it was put
├── ThresholdBroken         a load test was carried out, and what was required of it does not hold
└── Interrupted             Ctrl-C; exit code 130
"""

from __future__ import annotations


class BidlabError(Exception):
    """A mistake a person can mend; the message says what, where, which rule and how."""

    exit_code = 1


class ScenarioError(BidlabError):
    """A scenario file cannot be used; `problems` holds one line per mistake, in the order of the file."""

    def __init__(self, message: str, problems: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.problems = problems or (message,)


class ReplayError(BidlabError):
    """A bid log cannot be replayed."""


class AudienceFault(BidlabError):
    """The audience platform refused; the message is its own."""


class RunError(BidlabError):
    """A run cannot be carried out or written."""


class SweepError(BidlabError):
    """A sweep cannot be set up or kept, or some of its cells failed."""


class StudyError(BidlabError):
    """A question about what money bought has no answer as it was put."""


class ThresholdBroken(BidlabError):
    """A load test was carried out, and what was required of it does not hold."""


class Interrupted(BidlabError):
    """Ctrl-C."""

    exit_code = 130
