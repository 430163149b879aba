"""An encoder of TCF and GPP strings for tests, written from the published field lists and apart from the reader."""

from __future__ import annotations

from dataclasses import dataclass, field

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


@dataclass
class Core:
    version: int = 2
    created: int = 16_500_000_000
    updated: int = 16_500_000_100
    language: str = "EN"
    policy: int = 4
    features: set[int] = field(default_factory=set)
    purposes: set[int] = field(default_factory=set)
    interests: set[int] = field(default_factory=set)
    country: str = "FR"
    vendors: list[tuple[int, int]] = field(default_factory=list)
    """Ranges (first, last) in order."""
    as_ranges: bool = False
    highest: int | None = None
    restrictions: list[tuple[int, int, list[tuple[int, int]]]] = field(default_factory=list)


def number(value: int, bits: int) -> str:
    return format(value, f"0{bits}b")


def flags(members: set[int], bits: int) -> str:
    return "".join("1" if place in members else "0" for place in range(1, bits + 1))


def letters(pair: str) -> str:
    return "".join(number(ord(letter) - 65, 6) for letter in pair)


def ranges(parts: list[tuple[int, int]]) -> str:
    entries = ("0" + number(a, 16) if a == b else "1" + number(a, 16) + number(b, 16) for a, b in parts)
    return number(len(parts), 12) + "".join(entries)


def vendor_section(core: Core) -> str:
    highest = core.highest if core.highest is not None else max((last for _, last in core.vendors), default=0)
    members = {vendor for a, b in core.vendors for vendor in range(a, b + 1)}
    return number(highest, 16) + ("1" + ranges(core.vendors) if core.as_ranges else "0" + flags(members, highest))


def core_bits(core: Core) -> str:
    return "".join(
        (
            number(core.version, 6),
            number(core.created, 36),
            number(core.updated, 36),
            number(300, 12) + number(7, 12) + number(1, 6),
            letters(core.language),
            number(150, 12) + number(core.policy, 6) + "10",
            flags(core.features, 12) + flags(core.purposes, 24) + flags(core.interests, 24) + "0",
            letters(core.country),
            vendor_section(core),
            number(0, 16) + "0",
            number(len(core.restrictions), 12),
            *(number(p, 6) + number(kind, 2) + ranges(parts) for p, kind, parts in core.restrictions),
        )
    )


def base64(bits: str) -> str:
    bits += "0" * (-len(bits) % 6)
    return "".join(LETTERS[int(bits[at : at + 6], 2)] for at in range(0, len(bits), 6))


def encode(core: Core) -> str:
    return base64(core_bits(core))


def disclosed(highest: int = 9) -> str:
    return base64("001" + number(highest, 16) + "0" + "1" * highest)


def fibonacci(value: int) -> str:
    terms = [1, 2]
    while terms[-1] <= value:
        terms.append(terms[-1] + terms[-2])
    bits = ""
    for term in reversed(terms[:-1]):
        bits = ("1" if term <= value else "0") + bits
        value -= term if term <= value else 0
    return bits.rstrip("0") + "1"


def gpp(sections: dict[int, str]) -> str:
    last, entries = 0, ""
    for section in sorted(sections):
        entries += "0" + fibonacci(section - last)
        last = section
    header = base64(number(3, 6) + number(1, 6) + number(len(sections), 12) + entries)
    return "~".join([header, *(sections[section] for section in sorted(sections))])
