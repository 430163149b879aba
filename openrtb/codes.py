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
    DEAL_PRICE = 3
    """Of deals only: the floor is the agreed price."""


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


class MarkupType(IntEnum):
    """`mtype`: what `adm` is."""

    BANNER = 1
    VIDEO = 2
    AUDIO = 3
    NATIVE = 4


class LossReason(IntEnum):
    """`${AUCTION_LOSS}`: why a bid did not win."""

    WON = 0
    INTERNAL_ERROR = 1
    OPPORTUNITY_EXPIRED = 2
    INVALID_RESPONSE = 3
    INVALID_DEAL = 4
    INVALID_AUCTION_ID = 5
    INVALID_ADVERTISER_DOMAIN = 6
    MISSING_MARKUP = 7
    MISSING_CREATIVE_ID = 8
    MISSING_PRICE = 9
    MISSING_APPROVAL_DATA = 10
    BELOW_FLOOR = 100
    BELOW_DEAL_FLOOR = 101
    LOST_TO_HIGHER_BID = 102
    LOST_TO_DEAL = 103
    SEAT_BLOCKED = 104
    CREATIVE_FILTERED = 200
    CREATIVE_PENDING = 201
    CREATIVE_DISAPPROVED = 202
    SIZE_NOT_ALLOWED = 203
    WRONG_FORMAT = 204
    ADVERTISER_EXCLUDED = 205
    APP_EXCLUDED = 206
    NOT_SECURE = 207
    LANGUAGE_EXCLUDED = 208
    CATEGORY_EXCLUDED = 209
    ATTRIBUTE_EXCLUDED = 210
    TYPE_EXCLUDED = 211
    ANIMATION_TOO_LONG = 212
    NOT_ALLOWED_IN_DEAL = 213
