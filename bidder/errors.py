"""Errors of the bidder.

BidderError
├── PlanError           a campaign plan contradicts itself or names something the directory does not know
│   └── StrategyError       a user's own strategy cannot be used
├── FeedbackError       no win curve can be fitted to what a bidder saw
├── CaptureError        a capture cannot be written or read, or a decision differs from it
├── ServeError          the service cannot be started
├── ReloadError         campaigns cannot be read anew; the old ones go on
├── BodyRefused         an HTTP body that cannot be read; holds the status to answer with
└── NoticeError         a notice that changes nothing
    ├── NoticeUnreadable    a parameter is missing or no number
    ├── NoticeForged        not signed by this bidder
    ├── NoticeExpired       signed too long ago
    └── NotKept             it could not be written down; it may come again
"""

from __future__ import annotations


class BidderError(Exception):
    """Anything the bidder refuses."""


class PlanError(BidderError):
    """A campaign plan contradicts itself or names something unknown."""


class StrategyError(PlanError):
    """A user's own strategy cannot be used; the message names file and line and what is wanted."""


class FeedbackError(BidderError):
    """No win curve can be fitted to what a bidder saw."""


class ServeError(BidderError):
    """The service cannot be started; the message says what to change."""


class ReloadError(BidderError):
    """Campaigns cannot be read anew; the old ones go on."""


class CaptureError(BidderError):
    """A capture cannot be written or read, or a decision differs from the captured one; names file and line."""


class BodyRefused(BidderError):
    """An HTTP body that cannot be read; `status` is the answer it gets."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class NoticeError(BidderError):
    """A notice that changes nothing."""

    status = 400


class NoticeUnreadable(NoticeError):
    """A parameter is missing or no number."""


class NoticeForged(NoticeError):
    """Not signed by this bidder."""

    status = 403


class NoticeExpired(NoticeError):
    """Signed too long ago."""

    status = 410


class NotKept(NoticeError):
    """It could not be written down; it may come again."""

    status = 503
