"""`bidlab dmp ...`: the audience platform from the command line."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from experiments.errors import AudienceFault, Interrupted

audience = typer.Typer(help="The audience platform: sources, identities, segments, consent.", no_args_is_help=True)

Folder = Annotated[Path, typer.Option("--store", metavar="FOLDER", help="Where the audience is kept.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
HOME = Path("audience")


def _command(name: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Register a command whose audience errors and Ctrl-C become messages."""

    def register(function: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(function)
        def wrapped(*args: Any, **kwargs: Any) -> None:
            from dmp.errors import AudienceError

            try:
                function(*args, **kwargs)
            except AudienceError as error:
                raise AudienceFault(str(error)) from None
            except KeyboardInterrupt:
                raise Interrupted("interrupted; the audience is as it was before") from None

        return audience.command(name)(wrapped)

    return register


@_command("import")
def import_file(
    source: Annotated[Path, typer.Argument(metavar="SOURCE.yaml", help="Declaration of the source.")],
    store: Folder = HOME,
    as_json: AsJson = False,
) -> None:
    """Import a source: CSV, JSON Lines or Parquet, as its declaration says."""
    from dmp.sources.importer import import_source
    from dmp.store import Store

    batch, repeated = import_source(Store(store), source)
    rejects = store / "batches" / batch.folder / "rejects.csv"
    if as_json:
        print(json.dumps({**batch.model_dump(exclude={"declaration"}), "repeated": repeated, "rejects": str(rejects)}))
        return
    if repeated:
        print(f"{batch.batch}: this file is already in; nothing changed")
        return
    print(f"{batch.batch}: {batch.rows:,} rows, {batch.stored:,} stored, {batch.held_back:,} held back without consent")
    for reason, rows in batch.rejected.items():
        print(f"  rejected {rows:,}: {reason}")
    if batch.rejected:
        print(f"  row numbers: {rejects}")
