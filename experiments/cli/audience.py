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


Threshold = Annotated[float, typer.Option("--threshold", min=0.0, max=1.0, help="Lowest score that merges.")]
Who = Annotated[str | None, typer.Option("--who", help="Who asks, for the audit log; missing: your user name.")]
Why = Annotated[str, typer.Option("--why", help="Why, for the audit log.")]


def _user(who: str | None) -> str:
    import getpass

    try:
        return who or getpass.getuser()
    except (OSError, KeyError):
        return "unknown"


@_command("explain")
def explain_person(
    identifier: Annotated[str, typer.Argument(metavar="KIND:VALUE", help="For example cookie:abc.")],
    store: Folder = HOME,
    threshold: Threshold = 1.0,
    who: Who = None,
    why: Why = "explain",
    as_json: AsJson = False,
) -> None:
    """Show the identities, edges and records behind a person."""
    from dmp.audience import Reader, open_audience
    from dmp.consent import STORAGE
    from dmp.explain import explain
    from dmp.store import Store

    audience = open_audience(Store(store), STORAGE, Reader(_user(who), f"{why} {_hidden(identifier)}"), threshold)
    told = explain(audience, identifier)
    if as_json:
        print(json.dumps(told))
        return
    print(f"one person with {len(told['identities'])} identities, in a household of {told['household_persons']}")
    for identity in told["identities"]:
        print(f"  {identity['id']}  ({', '.join(identity['sources'])})")
    for edge in told["edges"]:
        verb = "=" if edge["merges"] else "not merged with"
        print(f"  {edge['from']} {verb} {edge['to']}  (score {edge['score']:g}, {edge['source']})")
    for batch, rows in told["records"].items():
        print(f"  {rows} records in {batch}")


def _hidden(identifier: str) -> str:
    """The identifier as the audit log may hold it: its key, not the address itself."""
    from dmp.explain import parse_identifier
    from dmp.identifiers import key_of

    return f"{int(key_of(*parse_identifier(identifier))):016x}"


@_command("match")
def match_sources(
    store: Folder = HOME,
    threshold: Threshold = 1.0,
    who: Who = None,
    as_json: AsJson = False,
) -> None:
    """Report per source how many of its persons other sources know, and conflicts."""
    from dmp.audience import Reader, open_audience
    from dmp.consent import STORAGE
    from dmp.match import match_report
    from dmp.store import Store

    audience = open_audience(Store(store), STORAGE, Reader(_user(who), "match report"), threshold)
    rows = [row._asdict() for row in match_report(audience.graph, audience.catalog)]
    _show(rows, as_json)


@_command("withdraw")
def withdraw(
    source: Annotated[str, typer.Argument(help="Name of the source.")],
    store: Folder = HOME,
    who: Who = None,
) -> None:
    """Take a source back: its rows and merges go, the refusals it brought stay."""
    from dmp.store import Store
    from dmp.withdraw import withdraw_source

    batches = withdraw_source(Store(store), source, _user(who))
    print(f"{source}: {batches} {'batch' if batches == 1 else 'batches'} withdrawn")


def _show(rows: list[dict[str, Any]], as_json: bool) -> None:
    """A table for people (TSV in a pipe), or JSON."""
    import sys

    if as_json:
        print(json.dumps(rows))
        return
    head = list(rows[0]) if rows else []
    lines = [head, *([_cell(row[name]) for name in head] for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    for line in lines:
        pairs = zip(line, widths, strict=True)
        print(
            "  ".join(cell.ljust(width) for cell, width in pairs).rstrip() if sys.stdout.isatty() else "\t".join(line)
        )


def _cell(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
