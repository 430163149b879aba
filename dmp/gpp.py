"""GPP strings (IAB Tech Lab, Global Privacy Platform v1): which sections are there, and the European one read.

`header~section~section`: the header names the sections by number, in the order they follow. We read presence for all of
them and content for section 2 (the TCF string) alone; a string whose header and sections do not agree has no sections.
"""

from __future__ import annotations

from dmp.bits import BadBits, BitReader
from dmp.tcf import granted_purposes

TYPE, VERSION = 3, 1
TCF_EU = 2
MAX_SECTIONS = 64


def gpp_sections(text: object) -> dict[int, str]:
    """Section number → its text; empty when anything about the string is wrong."""
    if not isinstance(text, str):
        return {}
    header, *sections = text.split("~")
    try:
        numbers = _header(BitReader(header))
    except BadBits:
        return {}
    if len(numbers) != len(sections) or not all(sections):
        return {}
    return dict(zip(numbers, sections, strict=True))


def gpp_purposes(text: object, vendor: int | None = None) -> frozenset[int]:
    """TCF purposes granted by the European section of a GPP string; empty without a valid one."""
    return granted_purposes(gpp_sections(text).get(TCF_EU), vendor)


def _header(bits: BitReader) -> list[int]:
    if (bits.number(6), bits.number(6)) != (TYPE, VERSION):
        raise BadBits("not a GPP header of version 1")
    numbers: list[int] = []
    last = 0
    for _ in range(bits.number(12)):
        many = bits.flag()
        first = last + bits.fibonacci()
        last = first + bits.fibonacci() if many else first
        if len(numbers) + last - first >= MAX_SECTIONS:
            raise BadBits("too many sections")
        numbers += range(first, last + 1)
    bits.end()
    return numbers
