"""`bidlab report RUN`: the pages and plots of a finished run, made again from its tables."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def report(
    run: Annotated[Path, typer.Argument(help="The folder of a finished run.")],
    out: Annotated[Path | None, typer.Option(help="Folder for the pages and plots; it must not exist.")] = None,
) -> None:
    """Write report.html, sellers.html and the plots of a finished run, for example one made with --no-report."""
    from experiments.results.run_directory import read_run, write_pages

    folder = write_pages(read_run(run), run if out is None else out, new=out is not None)
    print(f"report: {folder / 'report.html'}")
