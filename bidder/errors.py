"""Errors of the bidder.

BidderError
├── PlanError       a campaign plan contradicts itself or names something the directory does not know
├── FeedbackError   no win curve can be fitted to what a bidder saw
└── MessageError    an OpenRTB message cannot be understood
"""

from __future__ import annotations


class BidderError(Exception):
    """Anything the bidder refuses."""


class PlanError(BidderError):
    """A campaign plan contradicts itself or names something unknown."""


class FeedbackError(BidderError):
    """No win curve can be fitted to what a bidder saw."""


class MessageError(BidderError):
    """An OpenRTB message cannot be understood."""
