"""Bits of a web-safe base64 text, read strictly: a missing bit is an error, never a zero.

Consent strings are bit fields in base64 with `-` and `_` and no `=`. Python's own decoder skips characters it does
not know, which would shift every field after them; this one refuses.
"""

from __future__ import annotations

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_SIXES = {letter: six for six, letter in enumerate(ALPHABET)}
MAX_CHARACTERS = 16_384
"""Longest text read: far above real strings (65,535 vendors as bits take 11,000), far below a way to stall us."""
MAX_PADDING_BITS = 24
"""Encoders fill to a byte or to four characters; anything longer is not padding."""


class BadBits(ValueError):
    """The text is not what its fields say."""


class BitReader:
    """Reads unsigned fields from the front of the text; every method raises `BadBits` past its end."""

    def __init__(self, text: str) -> None:
        if not 0 < len(text) <= MAX_CHARACTERS:
            raise BadBits(f"{len(text)} characters")
        number = 0
        for start in range(0, len(text), 512):
            part = 0
            for letter in text[start : start + 512]:
                six = _SIXES.get(letter)
                if six is None:
                    raise BadBits("a character outside web-safe base64")
                part = part << 6 | six
            number = number << 6 * len(text[start : start + 512]) | part
        self._bits = format(number, f"0{6 * len(text)}b")
        self._at = 0

    @property
    def left(self) -> int:
        """Bits not yet read."""
        return len(self._bits) - self._at

    def text(self, bits: int) -> str:
        """The next *bits* bits as a text of 0 and 1."""
        if bits > self.left:
            raise BadBits(f"ends {bits - self.left} bits early")
        self._at += bits
        return self._bits[self._at - bits : self._at]

    def number(self, bits: int) -> int:
        """The next *bits* bits as an unsigned number, most significant first."""
        return int(self.text(bits), 2)

    def flag(self) -> bool:
        """The next bit."""
        return self.text(1) == "1"

    def letters(self) -> str:
        """Two letters A to Z of six bits each."""
        pair = [self.number(6), self.number(6)]
        if max(pair) > 25:
            raise BadBits("a country or language that is not two letters")
        return "".join(chr(65 + six) for six in pair)

    def fibonacci(self) -> int:
        """A whole number from 1 in Fibonacci coding: ends at the first two ones in a row."""
        total, low, high, before = 0, 1, 2, False
        while True:
            bit = self.flag()
            if bit and before:
                return total
            if bit:
                total += low
            low, high, before = high, low + high, bit
            if total > 65_535:
                raise BadBits("a section number beyond 65,535")

    def end(self) -> None:
        """Only padding may be left: fewer than `MAX_PADDING_BITS` bits, all zero."""
        if self.left >= MAX_PADDING_BITS or "1" in self._bits[self._at :]:
            raise BadBits("something follows the last field")
