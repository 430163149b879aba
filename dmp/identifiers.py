"""Identifiers: their kinds, how they are normalised and hashed, and their 64-bit keys.

E-mail, phone and address are normalised and then SHA-256 hashed; only the hash is stored. A key is a 64-bit hash of
kind and stored value: identities are compared by it everywhere, and the store checks that no two values share one.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numba import njit
from numpy.typing import NDArray

KINDS = ("cookie", "device", "login", "email", "phone", "address")
"""Kinds by code. An address stands for a household, all others for one person."""
ADDRESS = KINDS.index("address")
HASHED_KINDS = frozenset({"email", "phone", "address"})
MAX_LENGTH = 256
_EMAIL = re.compile(r"[^@\s\x00-\x1f]{1,64}@[a-z0-9](?:[a-z0-9.-]{0,250}[a-z0-9])?\.[a-z0-9-]{2,63}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_NOBODY = frozenset({"", "00000000-0000-0000-0000-000000000000", "null", "none", "undefined", "nan"})
"""Placeholders of devices that hide their identifier: they would merge everybody into one person."""


class BadIdentifier(ValueError):
    """The text is no identifier of this kind; the message is the reason in the rejects file."""


def normal_email(text: str) -> str:
    """Trimmed and lower case; at Gmail dots and +tags do not count. Raises `BadIdentifier`."""
    email = text.strip().lower()
    if not _EMAIL.fullmatch(email):
        raise BadIdentifier("not an e-mail address")
    name, _, domain = email.rpartition("@")
    if domain in ("gmail.com", "googlemail.com"):
        name, domain = name.partition("+")[0].replace(".", ""), "gmail.com"
    return f"{name}@{domain}"


def normal_phone(text: str, country_code: str = "") -> str:
    """E.164: a plus sign, country code and number. Raises `BadIdentifier`."""
    digits = re.sub(r"[\s()./-]", "", text.strip())
    if digits.startswith("00"):
        digits = "+" + digits[2:]
    elif not digits.startswith("+"):
        if not country_code:
            raise BadIdentifier("a phone number without its country code")
        digits = f"+{country_code}{digits.removeprefix('0')}"
    if not (digits[1:].isascii() and digits[1:].isdigit() and 8 <= len(digits) - 1 <= 15):
        raise BadIdentifier("not a phone number")
    return digits


def normal_address(text: str) -> str:
    """Case-folded, everything that is no letter or digit as one blank. Raises `BadIdentifier`."""
    address = " ".join(re.findall(r"\w+", text.casefold()))
    if len(address) < 5:
        raise BadIdentifier("not an address")
    return address


def stored_value(kind: str, text: str, hashed: bool = False, country_code: str = "") -> str:
    """What is stored for an identifier as it stands in a file; raises `BadIdentifier`."""
    if kind in HASHED_KINDS:
        if hashed:
            lowered = text.strip().lower()
            if not _SHA256.fullmatch(lowered):
                raise BadIdentifier("not a SHA-256 hash (64 hexadecimal digits)")
            return lowered
        normal: dict[str, Callable[[str], str]] = {
            "email": normal_email,
            "phone": lambda phone: normal_phone(phone, country_code),
            "address": normal_address,
        }
        return hashlib.sha256(normal[kind](text).encode()).hexdigest()
    value = text.strip()
    if kind == "device":
        value = value.lower()
    if value.lower() in _NOBODY:
        raise BadIdentifier(f"not a {kind}: a placeholder")
    if len(value.encode()) > MAX_LENGTH or not value.isprintable():
        raise BadIdentifier(f"not a {kind}: too long or with control characters")
    return value


def key_of(kind: str, value: str) -> np.uint64:
    """Key of one stored value."""
    data = value.encode()
    text = np.frombuffer(data or b"\0", np.uint8)
    return np.uint64(_hash(text, 0, len(data), np.uint64(KINDS.index(kind) + 1)))


def keys_of(kind: str, values: pa.StringArray) -> NDArray[np.uint64]:
    """uint64[n]: keys of stored values; nulls get a key that means nothing."""
    return _hashes(values, KINDS.index(kind) + 1)


def second_hash(values: pa.StringArray) -> NDArray[np.uint64]:
    """uint64[n]: another hash of the values alone: two values with one key differ in it."""
    return _hashes(values, 0xA5)


def _hashes(values: pa.StringArray, salt: int) -> NDArray[np.uint64]:
    if not len(values):
        return np.empty(0, np.uint64)
    _, offsets, data = values.buffers()
    ends = np.frombuffer(offsets, np.int32)[values.offset : values.offset + len(values) + 1]
    text = np.frombuffer(data, np.uint8) if data is not None and data.size else np.zeros(1, np.uint8)
    return np.asarray(_hash_rows(ends, text, np.uint64(salt)))


def plain_values(kind: str, values: pa.StringArray) -> tuple[pa.StringArray, NDArray[np.bool_]]:
    """Stored values of cookies, devices and logins, and the rows that are none; quicker than `stored_value`."""
    values = pc.utf8_trim_whitespace(values)
    if kind == "device":
        values = pc.utf8_lower(values)
    bad = pc.or_(
        pc.is_in(pc.utf8_lower(values), value_set=pa.array(sorted(_NOBODY))),
        pc.or_(pc.greater(pc.binary_length(values), MAX_LENGTH), pc.invert(pc.utf8_is_printable(values))),
    )
    return values, np.asarray(pc.fill_null(bad, False))


@njit(cache=True)
def _hash(text: NDArray[np.uint8], start: int, end: int, kind: np.uint64) -> Any:
    """FNV-1a over the bytes, finished with MurmurHash3's 64-bit mixer."""
    h = (np.uint64(0xCBF29CE484222325) ^ kind) * np.uint64(0x100000001B3)
    for at in range(start, end):
        h = (h ^ np.uint64(text[at])) * np.uint64(0x100000001B3)
    h = (h ^ (h >> np.uint64(33))) * np.uint64(0xFF51AFD7ED558CCD)
    h = (h ^ (h >> np.uint64(33))) * np.uint64(0xC4CEB9FE1A85EC53)
    return h ^ (h >> np.uint64(33))


@njit(cache=True)
def _hash_rows(ends: NDArray[np.int32], text: NDArray[np.uint8], kind: np.uint64) -> NDArray[np.uint64]:
    """Hashes of many texts, each from where the one before ends."""
    keys = np.empty(len(ends) - 1, np.uint64)
    for row in range(len(keys)):
        keys[row] = _hash(text, ends[row], ends[row + 1], kind)
    return keys
