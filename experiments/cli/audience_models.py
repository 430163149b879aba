"""`bidlab dmp lookalike|lift|sketch|estimate`: people like others, what goes with an outcome, reach without people."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from experiments.cli.audience import (
    HOME,
    SEGMENTS,
    AsJson,
    Folder,
    SegmentFilePath,
    Threshold,
    Who,
    chosen,
    command,
    evaluated,
    show,
)
from experiments.errors import AudienceFault

Picture = Annotated[Path | None, typer.Option("--plot", metavar="FILE.png", help="Write a picture too.")]


@command("lookalike")
def lookalike(
    seed: Annotated[str, typer.Argument(help="Segment whose members the others should resemble.")],
    segments: SegmentFilePath = SEGMENTS,
    store: Folder = HOME,
    threshold: Threshold = 1.0,
    picture: Picture = None,
    features: Annotated[bool, typer.Option("--features", help="Show what tells the seed apart instead.")] = False,
    who: Who = None,
    as_json: AsJson = False,
) -> None:
    """Judge lookalikes of a segment by size: how many of a hidden half of it are among them."""
    from dmp.evidence import Evidence
    from dmp.lookalike import features_of, quality, strongest
    from dmp.segments import own_evidence

    file, opened, members = evaluated(store, segments, threshold, who, f"lookalike of {seed}")
    flags = chosen(members, [seed])[seed]
    known = features_of(Evidence(opened), own_evidence(file, seed))
    rows = quality(known, flags)
    if picture is not None:
        from experiments.audience_plot import plot_quality

        _draw(picture, lambda: plot_quality(seed, rows, picture))
    show(strongest(known, flags) if features else rows, as_json)


@command("lift")
def lift(
    outcome: Annotated[str, typer.Argument(help="Segment of those to whom it happened, such as buyers.")],
    names: Annotated[list[str] | None, typer.Argument(metavar="[SEGMENT]...", help="Missing: all others.")] = None,
    segments: SegmentFilePath = SEGMENTS,
    store: Folder = HOME,
    threshold: Threshold = 1.0,
    who: Who = None,
    as_json: AsJson = False,
) -> None:
    """Compare how often an outcome happened inside and outside of segments."""
    from dmp.answers import lift

    _, _, members = evaluated(store, segments, threshold, who, f"lift of {outcome}")
    happened = chosen(members, [outcome])[outcome]
    others = {name: flags for name, flags in chosen(members, names).items() if name != outcome}
    show([{"segment": name, **lift(flags, happened)} for name, flags in others.items()], as_json)


@command("sketch")
def sketch(
    path: Annotated[Path, typer.Argument(metavar="FILE.npz", help="Where to write the sketches.")],
    kind: Annotated[str, typer.Option("--kind", help="Identifier whose hashes are counted.")] = "email",
    size: Annotated[int, typer.Option("--size", min=64, max=1 << 20, help="Hashes kept of each segment.")] = 16_384,
    segments: SegmentFilePath = SEGMENTS,
    store: Folder = HOME,
    threshold: Threshold = 1.0,
    who: Who = None,
) -> None:
    """Write a sketch of each segment: enough to estimate reach and overlap with others', without the people."""
    import numpy as np

    from dmp.sketch import save_sketches, sketch_of, values_of_kind

    _, opened, members = evaluated(store, segments, threshold, who, f"sketch by {kind}")
    key, person = values_of_kind(opened.graph, kind)
    everybody = np.ones(opened.graph.persons, np.bool_)
    made = {name: sketch_of(key[flags[person]], size) for name, flags in {"*": everybody, **members}.items()}
    save_sketches(path, kind, made)
    show([_told(name, each) for name, each in made.items()], False)


@command("estimate")
def estimate(
    paths: Annotated[list[Path], typer.Argument(metavar="FILE.npz...", help="Files of sketches.")],
    names: Annotated[list[str] | None, typer.Option("--of", metavar="SEGMENT", help="Missing: all.")] = None,
    as_json: AsJson = False,
) -> None:
    """Estimate reach and overlap from sketches, of several files together, with their standard errors."""
    from dmp.errors import SegmentError
    from dmp.sketch import both, load_sketches, union

    found = load_sketches(paths)
    for name in names or []:
        if name not in found:
            raise SegmentError(f"unknown segment {name!r}; segments: {', '.join(found)}")
    picked = {name: found[name] for name in names} if names else found
    rows = [_told(name, each) for name, each in picked.items()]
    labels = list(picked)
    for i, left in enumerate(labels):
        rows += [_told(f"{left} and {right}", both(picked[left], picked[right])) for right in labels[i + 1 :]]
    if len(labels) > 1:
        rows.append(_told("any of them", union(list(picked.values()))))
    show(rows, as_json)


def _told(name: str, each: Any) -> dict[str, Any]:
    return {"segment": name, "estimate": round(each.estimate()), "standard_error": each.standard_error()}


def _draw(picture: Path, draw: Any) -> None:
    try:
        draw()
    except (OSError, ValueError) as error:
        raise AudienceFault(f"{picture}: cannot be written ({error}); name a .png in a folder of yours") from None
