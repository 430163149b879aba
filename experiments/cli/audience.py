"""`bidlab dmp ...`: the audience platform from the command line."""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from experiments.errors import AudienceFault, Interrupted

audience = typer.Typer(help="The audience platform: sources, identities, segments, consent.", no_args_is_help=True)

Folder = Annotated[Path, typer.Option("--store", metavar="FOLDER", help="Where the audience is kept.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
HOME = Path("audience")


def command(name: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
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


@command("import")
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


def _threshold(text: str | float) -> float:
    """A score, or that of a use in `dmp.identity.THRESHOLDS`."""
    from dmp.identity import THRESHOLDS

    try:
        score = THRESHOLDS.get(str(text), None) or float(text)
    except ValueError:
        score = -1.0
    if not 0.0 <= score <= 1.0:
        raise typer.BadParameter(f"{text!r} is neither a score from 0 to 1 nor one of {', '.join(THRESHOLDS)}")
    return score


LOWEST = typer.Option(
    "--threshold", parser=_threshold, metavar="SCORE|USE", help="Lowest score that merges, or what it is for."
)
Threshold = Annotated[float, LOWEST]
Who = Annotated[str | None, typer.Option("--who", help="Who asks, for the audit log; missing: your user name.")]
Why = Annotated[str, typer.Option("--why", help="Why, for the audit log.")]


def user(who: str | None) -> str:
    """Who asks, for the audit log: *who*, or the name of the user of this machine."""
    import getpass

    try:
        return who or getpass.getuser()
    except (OSError, KeyError):
        return "unknown"


@command("schema")
def schema(
    kind: Annotated[str, typer.Argument(metavar="KIND", help="source or segments.")],
) -> None:
    """Print the JSON Schema of source declarations or of segment files, for editors."""
    from pydantic import BaseModel

    from dmp.errors import AudienceError
    from dmp.rules import SegmentFile
    from dmp.sources.declaration import Source

    models: dict[str, type[BaseModel]] = {"source": Source, "segments": SegmentFile}
    if kind not in models:
        raise AudienceError(f"there is no schema of {kind!r}; choose {' or '.join(models)}")
    print(json.dumps(models[kind].model_json_schema(), indent=2))


@command("explain")
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

    audience = open_audience(Store(store), STORAGE, Reader(user(who), f"{why} {hidden(identifier)}"), threshold)
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


def hidden(identifier: str) -> str:
    """The identifier as the audit log may hold it: its key, not the address itself."""
    from dmp.explain import parse_identifier
    from dmp.identifiers import key_of

    return f"{int(key_of(*parse_identifier(identifier))):016x}"


@command("match")
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

    audience = open_audience(Store(store), STORAGE, Reader(user(who), "match report"), threshold)
    rows = [row._asdict() for row in match_report(audience.graph, audience.catalog)]
    show(rows, as_json)


@command("withdraw")
def withdraw(
    source: Annotated[str, typer.Argument(help="Name of the source.")],
    store: Folder = HOME,
    who: Who = None,
) -> None:
    """Take a source back: its rows and merges go, the refusals it brought stay."""
    from dmp.store import Store
    from dmp.withdraw import withdraw_source

    batches = withdraw_source(Store(store), source, user(who))
    print(f"{source}: {batches} {'batch' if batches == 1 else 'batches'} withdrawn")


SegmentFilePath = Annotated[Path, typer.Option("--segments", metavar="FILE", help="Segment file.")]
SEGMENTS = Path("segments.yaml")


def evaluated(store: Path, segments: Path, threshold: float, who: str | None, why: str) -> tuple[Any, Any, Any]:
    """The segment file, the audience opened for its purposes, and bool[persons] per segment; notes go to stderr."""
    from dmp.audience import Reader, open_audience
    from dmp.consent import mask_of
    from dmp.evidence import Evidence
    from dmp.rules import load_segments
    from dmp.segments import evaluate
    from dmp.store import Store
    from dmp.taxonomy import check_names

    file = load_segments(segments)
    home = Store(store)
    check_names(file, home)
    opened = open_audience(home, mask_of(file.purposes), Reader(user(who), why), threshold)
    evidence = Evidence(opened)
    members = evaluate(file, evidence)
    for note in evidence.notes:
        print(f"note: {note}", file=sys.stderr)
    return file, opened, members


def chosen(members: dict[str, Any], names: list[str] | None) -> dict[str, Any]:
    """The named segments (all, when none is named); raises `SegmentError` for an unknown one."""
    from dmp.errors import SegmentError

    for name in names or []:
        if name not in members:
            raise SegmentError(f"unknown segment {name!r}; segments: {', '.join(members)}")
    return {name: members[name] for name in names} if names else members


@command("segments")
def list_segments(
    segments: SegmentFilePath = SEGMENTS,
    store: Folder = HOME,
    threshold: Threshold = 1.0,
    who: Who = None,
    as_json: AsJson = False,
) -> None:
    """List the segments with their sizes, and what share of the people who allow it they are."""
    file, opened, members = evaluated(store, segments, threshold, who, "segments")
    people = opened.graph.persons
    rows = [
        {
            "segment": name,
            "persons": int(flags.sum()),
            "share": float(flags.mean()) if people else 0.0,
            "ttl_days": file.segments[name].ttl_days or "",
            "taxonomy": file.segments[name].taxonomy or "",
            "about": file.segments[name].about or "",
        }
        for name, flags in members.items()
    ]
    show(rows, as_json)


@command("size")
def size(
    names: Annotated[list[str] | None, typer.Argument(metavar="[SEGMENT]...", help="Missing: all.")] = None,
    segments: SegmentFilePath = SEGMENTS,
    store: Folder = HOME,
    threshold: Threshold = 1.0,
    who: Who = None,
    as_json: AsJson = False,
) -> None:
    """Count the persons of segments, of each and of all together."""
    from dmp.answers import union_reach

    _, opened, members = evaluated(store, segments, threshold, who, "size")
    rows = union_reach(chosen(members, names), opened.graph)
    show([{"segment": row["segment"], "persons": row["person"]} for row in rows], as_json)


@command("reach")
def reach(
    names: Annotated[list[str] | None, typer.Argument(metavar="[SEGMENT]...", help="Missing: all.")] = None,
    segments: SegmentFilePath = SEGMENTS,
    store: Folder = HOME,
    threshold: Threshold = 1.0,
    who: Who = None,
    as_json: AsJson = False,
) -> None:
    """Count segments in cookies, devices, persons and households, nobody twice; * is all together."""
    from dmp.answers import union_reach

    _, opened, members = evaluated(store, segments, threshold, who, "reach")
    show(union_reach(chosen(members, names), opened.graph), as_json)


@command("overlap")
def overlap(
    names: Annotated[list[str] | None, typer.Argument(metavar="[SEGMENT]...", help="Missing: all.")] = None,
    segments: SegmentFilePath = SEGMENTS,
    store: Folder = HOME,
    threshold: Threshold = 1.0,
    picture: Annotated[Path | None, typer.Option("--plot", metavar="FILE.png", help="Write a picture too.")] = None,
    who: Who = None,
    as_json: AsJson = False,
) -> None:
    """Count the persons each two segments share."""
    from dmp.answers import overlap

    _, _, members = evaluated(store, segments, threshold, who, "overlap")
    picked = chosen(members, names)
    counts = overlap(picked)
    if picture is not None:
        from experiments.audience_plot import plot_overlap

        try:
            plot_overlap(list(picked), counts, picture)
        except (OSError, ValueError) as error:
            raise AudienceFault(f"{picture}: cannot be written ({error}); name a .png in a folder of yours") from None
    show(
        [
            {"segment": name, **dict(zip(picked, row, strict=True))}
            for name, row in zip(picked, counts.tolist(), strict=True)
        ],
        as_json,
    )


@command("activate")
def activate_segments(
    segments: SegmentFilePath = SEGMENTS,
    store: Folder = HOME,
    threshold: Threshold = 0.8,
    who: Who = None,
) -> None:
    """Make the segments' rows the active audience that bidders map."""
    from dmp.activation import activate
    from dmp.consent import mask_of

    file, opened, members = evaluated(store, segments, threshold, who, "activate")
    version = activate(opened, members, mask_of(file.purposes))
    print(f"{version}: {opened.graph.persons:,} persons, {len(members)} segments")


@command("taxonomy")
def import_taxonomy(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="IAB Tech Lab's table (TSV, gzip too).")],
    store: Folder = HOME,
) -> None:
    """Import the IAB Audience Taxonomy; segment files are then checked against it."""
    from dmp.store import Store
    from dmp.taxonomy import read_taxonomy, save_taxonomy

    taxonomy = read_taxonomy(path)
    save_taxonomy(Store(store), taxonomy)
    print(f"{len(taxonomy.tiers):,} nodes in {len(taxonomy.children(0))} trees")


def show(rows: list[dict[str, Any]], as_json: bool) -> None:
    """A table for people (TSV in a pipe), or JSON."""
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
    if value is None:
        return "–"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


@command("demo")
def demo(folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where to write the files.")]) -> None:
    """Write four small made-up sources and a segment file to try with."""
    from dmp.demo import write_demo

    declarations = write_demo(folder)
    for path in declarations:
        print(f"bidlab dmp import {path}")
    print(f"bidlab dmp reach --segments {folder / 'segments.yaml'}")
