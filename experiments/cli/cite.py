"""`bidlab cite RUN`: BibTeX, and the command that makes a run or study and its figures again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer


def cite(
    run: Annotated[Path, typer.Argument(help="The folder of a finished run or study.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the parts as JSON.")] = False,
) -> None:
    """BibTeX of a finished run or study, and the command that makes it and its figures again."""
    from experiments.results.citation import cite_folder

    citation = cite_folder(run)
    if as_json:
        print(json.dumps(citation._asdict(), indent=2, ensure_ascii=False))
        return
    print("\n\n".join(citation.bibtex))
    figures = ", ".join(citation.figures) or "no figures"
    print(f"\n% makes it again in a new folder, with {figures}:\n% {citation.command}")
    for note in citation.notes:
        print(f"% mind: {note}")
