"""Counter-based randomness: every draw is a hash of the seed, of what it is for and of whose it is.

There is no stream to share, so no driver, worker count or bidding policy can reorder anything: two policies meet the
very same people, rivals and luck. The mixing function is the finaliser of splitmix64 (Steele, Lea, Flood 2014).
"""

from __future__ import annotations

import hashlib

import numpy as np
from numba import config

from exchange_sim.kernel import entry, kernel

if config.DISABLE_JIT:  # type: ignore[attr-defined]  # set when numba is imported
    np.seterr(over="ignore")  # hashes wrap around by design; compiled code does so without a word

# What a draw is for; the values are part of what a manifest promises, so they never change.
GAP = np.uint64(1)
PERSON = np.uint64(2)
SLOT = np.uint64(3)
DEVICE = np.uint64(4)
BEST_RIVAL = np.uint64(5)
SECOND_RIVAL = np.uint64(6)
COIN = np.uint64(7)
CLICK = np.uint64(8)
CONVERSION = np.uint64(9)
DELAY = np.uint64(10)
CONSENT = np.uint64(11)
PLACE = np.uint64(12)
RADIUS = np.uint64(13)
ANGLE = np.uint64(14)
IN_MARKET = np.uint64(15)
VALUE = np.uint64(16)
VALUE_ANGLE = np.uint64(17)
INTEREST = np.uint64(18)
OBSERVATION = np.uint64(19)
ORGANIC_GAP = np.uint64(20)
ORGANIC_PERSON = np.uint64(21)
SIGNAL = np.uint64(22)
WIRE = np.uint64(23)
AUCTION_OF = np.uint64(24)
PERSON_OF = np.uint64(25)
EXPLORE = np.uint64(26)
RESALE = np.uint64(27)
INVITED = np.uint64(28)
HEADER = np.uint64(29)
RIVAL_BELOW = np.uint64(30)
RIVAL_CATEGORY = np.uint64(31)
RIVAL_ADVERTISER = np.uint64(32)
COOKIE = np.uint64(40)
COOKIES_OF = np.uint64(41)
HOUSEHOLD = np.uint64(42)
PURCHASE_OF = np.uint64(43)
KNOWN = np.uint64(44)
MATCHED = np.uint64(45)
AGE = np.uint64(46)
DRIFT = np.uint64(47)
REPEATS = np.uint64(48)
GUESS = np.uint64(49)
BOT = np.uint64(60)
BOT_PERSON = np.uint64(61)
FILTER = np.uint64(62)
DISCOVER = np.uint64(63)
VIEW = np.uint64(64)
DETECT_AD = np.uint64(65)
DETECT_PAGE = np.uint64(66)
PAGE = np.uint64(67)
OPT_OUT = np.uint64(70)

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_M1 = np.uint64(0xBF58476D1CE4E5B9)
_M2 = np.uint64(0x94D049BB133111EB)
_S1, _S2, _S3, _S12 = np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(12)


@entry
def mix(x: np.uint64) -> np.uint64:
    """Scramble 64 bits; a bijection."""
    x = (x ^ (x >> _S1)) * _M1
    x = (x ^ (x >> _S2)) * _M2
    return x ^ (x >> _S3)


@entry
def key_of(parent: np.uint64, purpose: np.uint64, owner: int) -> np.uint64:
    """Key of an owner (a person, an auction) below a parent key; draws are made from it."""
    return mix(mix(parent + purpose * _GOLDEN) + np.uint64(owner) * _GOLDEN)


@kernel
def bits(key: np.uint64, purpose: np.uint64) -> np.uint64:
    """64 random bits for one purpose of one owner."""
    return mix(key + purpose * _GOLDEN)


@kernel
def uniform(key: np.uint64, purpose: np.uint64) -> float:
    """A draw from the open interval (0, 1) for one purpose of one owner.

    52 bits and a half: with 53 the half of the largest would be rounded up to 1.
    """
    return (np.float64(mix(key + purpose * _GOLDEN) >> _S12) + 0.5) * (1.0 / 4503599627370496.0)


def name_key(name: str) -> np.uint64:
    """A key for something people name, so that adding or reordering others leaves its draws alone."""
    return np.uint64(int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "little"))
