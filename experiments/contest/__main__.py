"""`python -m experiments.contest FOLDER [SEEDS]`: play, print the table, write results and figure.

In the folder of the documentation (`make strategies`) the tables go into `strategies.md`, each between its two marks,
and the figures among the images; in any other folder every result and spend curve is written as Parquet.
"""

from __future__ import annotations

import re
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq

from experiments.contest.feedback import AFTER, draw_feedback, feedback_markdown, play_feedback
from experiments.contest.play import play_all
from experiments.contest.table import draw, markdown
from experiments.errors import BidlabError
from experiments.report.plots import style

PAGE = "strategies.md"
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
        heard = play_feedback(range(1, int(seeds) + 1), progress=told)
        tables = {"contest": markdown(results), "feedback": feedback_markdown(heard)}
        pictures = {"contest": draw(results, curves), "feedback": draw_feedback(heard)}
        page = (folder / PAGE).is_file()
        if not page:
            for stem, rows in (("contest", results), ("contest-spend", curves), ("feedback", heard)):
                pq.write_table(rows, folder / f"{stem}.parquet")
        for name, table in tables.items():
            if page:
                _put(folder / PAGE, name, table)
            (folder / ("images" if page else ".") / f"{name}.png").write_bytes(style.png_of(pictures[name]))
    except (BidlabError, OSError) as error:
        print(f"bidlab: {error}", file=sys.stderr)
        return 1
    print("\n".join(tables.values()), end="")
    runs = results.num_rows + heard.num_rows // len(AFTER)
    print(f"{runs} runs in {time.perf_counter() - started:.0f} s", file=sys.stderr)
    return 0


def _tell(what: str) -> None:
    print(f"\r{what}   ", end="", file=sys.stderr, flush=True)


def _put(page: Path, name: str, table: str) -> None:
    """Replace what stands between the two marks called *name* of the page."""
    marks = re.compile(rf"(<!-- {name}[^>]*-->\n).*?(<!-- end of {name} -->)", re.DOTALL)
    page.write_text(marks.sub(lambda found: found[1] + table + found[2], page.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
