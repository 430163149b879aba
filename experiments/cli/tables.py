"""Tables on the terminal that stay readable when it is narrow: columns that do not fit go below, names repeated."""

from __future__ import annotations

from collections.abc import Sequence

FILE_WIDTH = 190
"""Columns of characters where stdout is no terminal."""
_GAP = 3
"""What the frame adds to each column."""


def print_table(
    headings: Sequence[str], rows: Sequence[Sequence[str]], title: str, names: int = 1, *, numbered: bool = False
) -> None:
    """Print *rows* under *headings*; the first *names* columns say what a row is and begin each block.

    They stand to the left, and where they are numbers (*numbered*) to the right like all others.
    """
    from rich import box
    from rich.console import Console
    from rich.table import Table

    console = Console()
    width = console.width if console.is_terminal else FILE_WIDTH
    widths = [_needed(heading, [row[c] for row in rows]) for c, heading in enumerate(headings)]
    for number, block in enumerate(blocks(widths, names, width)):
        table = Table(box=box.SIMPLE, title=title if number == 0 else None)
        wide = {c: max(widths[c], len(headings[c])) for c in block}  # headings on one line, where there is room
        fit = wide if sum(wide.values()) + _GAP * len(block) < width else {c: widths[c] for c in block}
        for c in block:
            table.add_column(headings[c], justify="left" if c < names and not numbered else "right", width=fit[c])
        for row in rows:
            table.add_row(*(row[c] for c in block))
        Console(width=width).print(table)


def blocks(widths: Sequence[int], names: int, width: int) -> list[list[int]]:
    """Columns by block, each within *width* characters if a block of one column is; *names* columns begin each."""
    lead = list(range(names))
    found: list[list[int]] = [[*lead]]
    for c in range(names, len(widths)):
        if len(found[-1]) > names and sum(widths[k] + _GAP for k in (*found[-1], c)) + 1 > width:
            found.append([*lead])
        found[-1].append(c)
    return found


def _needed(heading: str, cells: Sequence[str]) -> int:
    """Characters without which something would be cut: headings wrap between words, cells do not."""
    return max((len(text) for text in (*heading.split(), *cells)), default=1)
