"""TCF v2 consent strings (IAB Europe, "Consent string and vendor list formats v2", core string version 2).

A strict reader: a string counts only when every field of every segment is there, in range, and nothing but zero padding
follows. Everything else grants nothing. Legitimate interest is never taken as a grant.
"""

from __future__ import annotations

from dataclasses import dataclass

from dmp.bits import BadBits, BitReader

VERSION = 2
POLICIES = range(2, 6)
"""Policy versions known: 2 (TCF 2.0), 3 (2.1), 4 (2.2) and 5 (2.3)."""
PURPOSES = range(1, 12)
"""Purposes TCF 2.2 defines; higher bits are reserved and grant nothing."""
DECISECONDS = 10
_DISCLOSED, _ALLOWED, _PUBLISHER = 1, 2, 3
_NOT_ALLOWED, _REQUIRE_CONSENT, _REQUIRE_INTEREST = 0, 1, 2


@dataclass(frozen=True)
class TcString:
    """What a whole, valid string says. Times are seconds since 1970; vendors and purposes are TCF's numbers."""

    created_s: float
    updated_s: float
    cmp_id: int
    language: str
    policy: int
    service_specific: bool
    special_features: frozenset[int]
    purposes: frozenset[int]
    publisher_country: str
    vendors: frozenset[int]
    barred: frozenset[tuple[int, int]]
    """(purpose, vendor) the publisher does not allow, or allows only on a basis other than consent."""

    def grants(self, vendor: int | None = None) -> frozenset[int]:
        """Purposes consented to; with *vendor*, only if that vendor is consented to, less what is barred for it."""
        if vendor is None:
            return self.purposes
        if vendor not in self.vendors:
            return frozenset()
        return frozenset(purpose for purpose in self.purposes if (purpose, vendor) not in self.barred)


def read_tc_string(text: object) -> TcString | None:
    """The string's content, or None when anything about it is wrong (also for things that are no text)."""
    if not isinstance(text, str):
        return None
    core, *others = text.split(".")
    try:
        content = _core(BitReader(core))
        _other_segments(others)
    except BadBits:
        return None
    return content


def granted_purposes(text: object, vendor: int | None = None) -> frozenset[int]:
    """Purposes a consent string grants; the empty set for a string that is not whole and valid."""
    content = read_tc_string(text)
    return frozenset() if content is None else content.grants(vendor)


def _core(bits: BitReader) -> TcString:
    if bits.number(6) != VERSION:
        raise BadBits("an unknown version")
    created, updated = bits.number(36), bits.number(36)
    cmp_id = bits.number(12)
    bits.text(12 + 6)  # version of the consent platform, screen
    language = bits.letters()
    bits.text(12)  # version of the vendor list
    policy = bits.number(6)
    if policy not in POLICIES or updated < created:
        raise BadBits("an unknown policy, or updated before it was created")
    service_specific = bits.flag()
    bits.text(1)  # non-standard texts
    features, purposes = _set_bits(bits.text(12)), _set_bits(bits.text(24))
    bits.text(24 + 1)  # legitimate interests, purpose one treatment
    country = bits.letters()
    vendors = _vendors(bits)
    _vendors(bits)  # vendors with legitimate interest
    barred = _restrictions(bits)
    bits.end()
    return TcString(
        created_s=created / DECISECONDS,
        updated_s=updated / DECISECONDS,
        cmp_id=cmp_id,
        language=language,
        policy=policy,
        service_specific=service_specific,
        special_features=features,
        purposes=frozenset(purpose for purpose in purposes if purpose in PURPOSES),
        publisher_country=country,
        vendors=vendors,
        barred=barred,
    )


def _set_bits(field: str) -> frozenset[int]:
    return frozenset(place for place, bit in enumerate(field, 1) if bit == "1")


def _vendors(bits: BitReader) -> frozenset[int]:
    """A vendor section: the highest number, then one bit each or a list of ranges."""
    highest, ranges = bits.number(16), bits.flag()
    return _ranges(bits, highest) if ranges else _set_bits(bits.text(highest))


def _ranges(bits: BitReader, highest: int) -> frozenset[int]:
    """Ranges in rising order without overlap, as encoders write them: each vendor is named once."""
    found: list[range] = []
    last = 0
    for _ in range(bits.number(12)):
        many = bits.flag()
        first = bits.number(16)
        final = bits.number(16) if many else first
        if not last < first <= final <= highest:
            raise BadBits("a vendor range out of order or beyond the highest vendor")
        found.append(range(first, final + 1))
        last = final
    return frozenset(vendor for part in found for vendor in part)


def _restrictions(bits: BitReader) -> frozenset[tuple[int, int]]:
    barred: set[tuple[int, int]] = set()
    for _ in range(bits.number(12)):
        purpose, kind = bits.number(6), bits.number(2)
        vendors = _ranges(bits, 65_535)
        if not 1 <= purpose <= 24 or kind > _REQUIRE_INTEREST:
            raise BadBits("an unknown publisher restriction")
        if kind != _REQUIRE_CONSENT:
            barred.update((purpose, vendor) for vendor in vendors)
    return frozenset(barred)


def _other_segments(segments: list[str]) -> None:
    """Check the optional segments; each kind at most once."""
    seen: set[int] = set()
    for segment in segments:
        bits = BitReader(segment)
        kind = bits.number(3)
        if kind in seen:
            raise BadBits("a segment twice")
        seen.add(kind)
        if kind in (_DISCLOSED, _ALLOWED):
            _vendors(bits)
        elif kind == _PUBLISHER:
            bits.text(24 + 24)
            bits.text(2 * bits.number(6))
        else:
            raise BadBits("an unknown segment")
        bits.end()
