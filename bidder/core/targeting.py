"""Targeting by bitset: AND whole words of campaigns first, so that nobody visits a campaign that cannot match."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from bidder.core.book import (
    FORBID,
    ROW_ACTIVE,
    ROW_ANYONE,
    ROW_DEAL,
    ROW_DEVICE,
    ROW_FORMAT,
    ROW_HOUR,
    ROW_NO_DEAL,
    ROW_PLACE,
    ROW_PUBLISHER,
    WELCOME,
    Book,
)
from bidder.core.kernel import kernel

EARTH_RADIUS_KM = 6371.0088
_ONE = np.uint64(1)
_ZERO = np.uint64(0)
_BYTE = np.uint64(255)
_K1, _K2, _K4 = np.uint64(0x5555555555555555), np.uint64(0x3333333333333333), np.uint64(0x0F0F0F0F0F0F0F0F)
_KF = np.uint64(0x0101010101010101)
_B1, _B2, _B4, _B56 = np.uint64(1), np.uint64(2), np.uint64(4), np.uint64(56)


@kernel
def lowest_bit(word: np.uint64) -> int:
    """Position of the lowest set bit of a non-zero word (population count of the bits below it)."""
    x = (word & (~word + _ONE)) - _ONE
    x = x - ((x >> _B1) & _K1)
    x = (x & _K2) + ((x >> _B2) & _K2)
    x = (x + (x >> _B4)) & _K4
    return int((x * _KF) >> _B56)


@kernel
def context_word(book: Book, imps: NDArray[np.void], i: int, word_ix: int) -> np.uint64:
    """64 campaigns at once: active, and happy with format, device, hour, place, publisher and deal."""
    index, targets = book.index, book.targets
    word = targets[index[ROW_ACTIVE], word_ix]
    word &= targets[index[ROW_PUBLISHER] + imps["publisher_ix"][i], word_ix]
    word &= targets[index[ROW_FORMAT] + imps["format_ix"][i], word_ix]
    word &= targets[index[ROW_HOUR] + imps["hour"][i], word_ix]
    word &= targets[index[ROW_PLACE] + imps["place_ix"][i], word_ix]
    word &= targets[index[ROW_DEVICE] + imps["device_ix"][i], word_ix]
    deal_ix = imps["deal_ix"][i]
    if deal_ix < 0:
        return word & targets[index[ROW_NO_DEAL], word_ix]
    return word & (targets[index[ROW_NO_DEAL], word_ix] | targets[index[ROW_DEAL] + deal_ix, word_ix])


@kernel
def audience_word(book: Book, row: NDArray[np.uint64], word_ix: int) -> np.uint64:
    """64 campaigns at once: whose segment rules (any, none, all) the person with this bitset row meets."""
    welcome = book.targets[book.index[ROW_ANYONE], word_ix]
    forbidden = _ZERO
    for k in range(book.audience_bytes.shape[0]):
        byte_ix = book.audience_bytes[k]
        value = (row[byte_ix >> 3] >> np.uint64((byte_ix & 7) << 3)) & _BYTE
        welcome |= book.audiences[WELCOME, k, value, word_ix]
        forbidden |= book.audiences[FORBID, k, value, word_ix]
    return welcome & ~forbidden


@kernel
def distance_km(lat_a: float, lon_a: float, lat_b: float, lon_b: float) -> float:
    """Great-circle distance (haversine formula); arguments in degrees."""
    phi_a, phi_b = math.radians(lat_a), math.radians(lat_b)
    half_dphi = 0.5 * (phi_b - phi_a)
    half_dlambda = 0.5 * math.radians(lon_b - lon_a)
    h = math.sin(half_dphi) ** 2 + math.cos(phi_a) * math.cos(phi_b) * math.sin(half_dlambda) ** 2
    return 2.0 * EARTH_RADIUS_KM * math.asin(min(1.0, math.sqrt(h)))


@kernel
def inside_fence(campaigns: NDArray[np.void], campaign_ix: int, lat: float, lon: float) -> bool:
    """Whether the position is known and inside the campaign's disc; true for a campaign without one."""
    if campaigns["fenced"][campaign_ix] == 0:
        return True
    if math.isnan(lat) or math.isnan(lon):
        return False
    centre_lat, centre_lon = campaigns["lat"][campaign_ix], campaigns["lon"][campaign_ix]
    radius_km = campaigns["radius_km"][campaign_ix]
    # No two points are nearer than their latitudes are apart: most are refused without any trigonometry.
    if math.radians(abs(lat - centre_lat)) * EARTH_RADIUS_KM > radius_km:
        return False
    return distance_km(centre_lat, centre_lon, lat, lon) <= radius_km
