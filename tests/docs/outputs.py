"""What a command printed against what a page shows: exact, but for what differs from run to run (`VARYING`)."""

from __future__ import annotations

import re
import textwrap
from difflib import SequenceMatcher

VARYING = {
    "seconds": re.compile(r"in [\d.,]+ CPU seconds \([^)]*\)|[\d.,]+ CPU seconds$"),
    "microseconds": re.compile(r"(?<=^microseconds \(medians\): ).*"),
    "this bidlab": re.compile(r"(?<=bidlab[- ])\d+\.\d+\.\d+|(?<=^  version      = )\S+"),
    "a version of an audience": re.compile(r"^\d{6}-\d{19}\b"),
    "today": re.compile(r"^  (year|month) .*"),
}
"""Parts of a line that are not compared, by what they tell."""
GIVEN = re.compile(r"\b20\d{6}-\d{6}\b|(?<=-)[0-9a-f]{8}\b|\b[0-9a-f]{64}\b")
"""Names given by the program: a folder's moment, a hash of all settings. Each one a page shows stands for one of this
run, in the order they are printed; so later commands can use them."""
GAP, ANY = "...", "…"
WIDTH = 128
"""Columns at which a sentence is wrapped."""


class Names:
    """Names given by this run, under those the page has for them."""

    def __init__(self) -> None:
        self._real: dict[str, str] = {}

    def in_command(self, command: str) -> str:
        """A command of the page with the names of this run."""
        return GIVEN.sub(lambda match: self._real.get(match[0], match[0]), command)

    def in_page(self, text: str, shown: list[str]) -> str:
        """An output with the names the page has; names not seen before are taken from what it shows."""
        new = [name for name in _names(text) if name not in self._real.values()]
        free = [name for name in _names("\n".join(shown)) if name not in self._real]
        for length in {len(name) for name in free}:  # a moment stands for a moment, a hash for a hash
            pairs = ([name for name in some if len(name) == length] for some in (free, new))
            self._real.update(zip(*pairs, strict=False))
        page_s = {real: page for page, real in self._real.items()}
        return GIVEN.sub(lambda match: page_s.get(match[0], match[0]), text)


def _names(text: str) -> list[str]:
    return list(dict.fromkeys(GIVEN.findall(text)))


def tidy(text: str) -> list[str]:
    """An output as a page shows it: no blanks at ends, one empty line at most, sentences wrapped, columns lined up."""
    lines = [line.rstrip() if "\t" not in line else line for line in text.strip("\n").splitlines()]
    while lines and not lines[0]:
        lines.pop(0)
    while lines and not lines[-1]:
        lines.pop()
    shown: list[str] = []
    table: list[list[str]] = []
    for line in [*lines, None]:
        if line is not None and "\t" in line:
            table.append(line.split("\t"))
            continue
        shown += _lined_up(table)
        table = []
        if line is not None and (line or shown[-1]):
            shown += _wrapped(line)
    return shown


def _lined_up(table: list[list[str]]) -> list[str]:
    widths = [max(len(row[k]) for row in table if k < len(row)) for k in range(max(map(len, table), default=0))]
    return ["  ".join(cell.ljust(widths[k]) for k, cell in enumerate(row)).rstrip() for row in table]


def _wrapped(line: str) -> list[str]:
    if len(line) <= WIDTH or "  " in line or line.startswith((" ", "%")):
        return [line]
    return textwrap.wrap(line, WIDTH, break_long_words=False, break_on_hyphens=False)


def masked(line: str) -> str:
    """A line without what differs from run to run, or cannot be seen (blanks at which no line breaks)."""
    line = line.replace("\xa0", " ")
    for name, pattern in VARYING.items():
        line = pattern.sub(f"<{name}>", line)
    return line


def _pattern(line: str) -> str:
    return ".*".join(re.escape(part) for part in masked(line).split(ANY))


def same(shown: list[str], printed: list[str]) -> bool:
    """Whether a page shows what was printed."""
    pattern = "".join(r"(?:[^\n]*\n)+?" if line == GAP else _pattern(line) + "\n" for line in shown)
    return re.fullmatch(pattern, "".join(masked(line) + "\n" for line in printed)) is not None


def mended(shown: list[str], printed: list[str]) -> list[str]:
    """What a page should show: the lines printed, where the page leaves lines out only those most like its own."""
    if same(shown, printed):
        return shown
    kept = [(k, line) for k, line in enumerate(shown) if line != GAP]
    pairs = _pairs([line for _, line in kept], printed)
    result: list[str] = []
    last_k, last_j = -1, -1
    for i, j in [*pairs, (len(kept), len(printed))]:
        k = kept[i][0] if i < len(kept) else len(shown)
        if GAP not in shown[last_k + 1 : k]:
            result += printed[last_j + 1 : j]
        elif j > last_j + 1:
            result.append(GAP)
        if j < len(printed):
            result.append(_instead(shown[k], printed[j]))
        last_k, last_j = k, j
    return result


def _instead(shown: str, printed: str) -> str:
    if re.fullmatch(_pattern(shown), masked(printed)):
        return shown
    return printed[: len(shown) - 1] + ANY if shown.endswith(ANY) else printed


def _pairs(shown: list[str], printed: list[str]) -> list[tuple[int, int]]:
    """Which lines belong together: rising in both, with the greatest likeness in sum."""
    like = [[_likeness(one, other) for other in printed] for one in shown]
    best = [[0.0] * (len(printed) + 1) for _ in range(len(shown) + 1)]
    for i in reversed(range(len(shown))):
        for j in reversed(range(len(printed))):
            best[i][j] = max(best[i + 1][j], best[i][j + 1], like[i][j] + best[i + 1][j + 1])
    pairs, i, j = [], 0, 0
    while i < len(shown) and j < len(printed):
        if like[i][j] and best[i][j] == like[i][j] + best[i + 1][j + 1]:
            pairs.append((i, j))
            i, j = i + 1, j + 1
        elif best[i][j] == best[i + 1][j]:
            i += 1
        else:
            j += 1
    return pairs


def _likeness(shown: str, printed: str) -> float:
    if re.fullmatch(_pattern(shown), masked(printed)):
        return 2.0
    ratio = SequenceMatcher(None, shown, printed, autojunk=False).ratio()
    return ratio if ratio > 0.4 else 0.0
