"""`python -m experiments.contest FOLDER [SEEDS]`: play, print the table, write results and figure.

In the folder of the documentation (`make strategies`) the table goes into `strategies.md`, between its two marks, and
the figure among the images; in any other folder every result and spend curve is written as Parquet.
"""

from __future__ import annotations

import re
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq

from experiments.contest.play import play_all
from experiments.contest.table import draw, markdown
from experiments.errors import BidlabError
from experiments.report.plots import style

PAGE = "strategies.md"
MARKS = re.compile(r"(<!-- contest[^>]*-->\n).*?(<!-- end of contest -->)", re.DOTALL)
USAGE = "usage: python -m experiments.contest FOLDER [SEEDS]; SEEDS a whole number from 2"


def main(arguments: list[str]) -> int:
    """Play the contest; returns the exit code."""
    seeds = arguments[1] if len(arguments) == 2 else "20"
    if not 1 <= len(arguments) <= 2 or not seeds.isdecimal() or not 2 <= int(seeds) <= 10_000:
        print(USAGE, file=sys.stderr)
        return 2
    folder, started = Path(arguments[0]), time.perf_counter()
    if not folder.is_dir():
        print(f"bidlab: {folder}: is no folder; create it first", file=sys.stderr)
        return 1
    told = _tell if sys.stderr.isatty() else None
    try:
        results, curves = play_all(range(1, int(seeds) + 1), progress=told)
        table = markdown(results)
        picture = style.png_of(draw(results, curves))
        if (folder / PAGE).is_file():
            _put(folder / PAGE, table)
            (folder / "images" / "contest.png").write_bytes(picture)
        else:
            pq.write_table(results, folder / "contest.parquet")
            pq.write_table(curves, folder / "contest-spend.parquet")
            (folder / "contest.png").write_bytes(picture)
    except (BidlabError, OSError) as error:
        print(f"bidlab: {error}", file=sys.stderr)
        return 1
    print(table, end="")
    print(f"{results.num_rows} runs in {time.perf_counter() - started:.0f} s", file=sys.stderr)
    return 0


def _tell(what: str) -> None:
    print(f"\r{what}   ", end="", file=sys.stderr, flush=True)


def _put(page: Path, table: str) -> None:
    """Replace what stands between the marks of the page."""
    page.write_text(MARKS.sub(lambda marks: marks[1] + table + marks[2], page.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
