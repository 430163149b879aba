"""Code lists of OpenRTB 2.6 (AdCOM 1.0) that this project speaks. On the wire they stay plain integers.

Unknown codes are legal everywhere: lists grow, and vendors have their own from 500 on.
"""

from __future__ import annotations

from enum import IntEnum

VENDOR_CODES = 500
"""First code of every list that vendors may define themselves."""


class AuctionType(IntEnum):
    """`at`: what the winner pays."""

    FIRST_PRICE = 1
    SECOND_PRICE_PLUS = 2
    FIXED_PRICE = 3
    """Of a deal: its floor is the price agreed upon."""


class DeviceType(IntEnum):
    """`device.devicetype`."""

    MOBILE_OR_TABLET = 1
    PERSONAL_COMPUTER = 2
    CONNECTED_TV = 3
    PHONE = 4
    TABLET = 5
    CONNECTED_DEVICE = 6
    SET_TOP_BOX = 7
    OUT_OF_HOME = 8


class LocationType(IntEnum):
    """`geo.type`: where a position comes from."""

    GPS = 1
    IP_ADDRESS = 2
    USER_PROVIDED = 3


class NoBidReason(IntEnum):
    """`nbr`: why there is no bid. From `VENDOR_CODES` on: the bidder's own reasons."""

    UNKNOWN_ERROR = 0
    TECHNICAL_ERROR = 1
    INVALID_REQUEST = 2
    KNOWN_CRAWLER = 3
    SUSPECTED_NON_HUMAN = 4
    PROXY_IP = 5
    UNSUPPORTED_DEVICE = 6
    BLOCKED_PUBLISHER = 7
    UNMATCHED_USER = 8
    DAILY_USER_CAP_MET = 9
    DAILY_DOMAIN_CAP_MET = 10
    ADS_TXT_UNAVAILABLE = 11
    ADS_TXT_VIOLATION = 12
    ADS_CERT_UNAVAILABLE = 13
    ADS_CERT_VIOLATION = 14
    INSUFFICIENT_TIME = 15
    INCOMPLETE_SUPPLY_CHAIN = 16
    BLOCKED_SUPPLY_CHAIN_NODE = 17


class LossReason(IntEnum):
    """`${AUCTION_LOSS}`: why a bid did not win."""

    WON = 0
    INTERNAL_ERROR = 1
    OPPORTUNITY_EXPIRED = 2
    INVALID_RESPONSE = 3
    INVALID_DEAL = 4
    BELOW_FLOOR = 100
    BELOW_DEAL_FLOOR = 101
    LOST_TO_HIGHER_BID = 102
    LOST_TO_DEAL = 103
    SEAT_BLOCKED = 104
