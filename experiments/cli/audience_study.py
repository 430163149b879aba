"""`bidlab dmp produce|vary|identity`: the audience platform against the people of a scenario, whom we know."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from experiments.cli.audience import AsJson, command, show
from experiments.errors import AudienceFault

ScenarioName = Annotated[str, typer.Argument(metavar="SCENARIO", help="A scenario file, or a shipped one's name.")]
Overrides = Annotated[list[str] | None, typer.Option("--set", help="Change one setting: people.cookies=3.")]


@command("produce")
def produce(
    scenario: ScenarioName,
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where to write the files.")],
    overrides: Overrides = None,
) -> None:
    """Write the files a scenario's sources hold, their declarations and the segment file."""
    from experiments.audience.produce import write_sources
    from experiments.compile.market import compile_world
    from experiments.scenario.loader import load

    plan = load(scenario, overrides or [])
    _need_platform(plan.audience, scenario)
    try:
        paths = write_sources(plan, compile_world(plan), folder)
    except OSError as error:
        raise AudienceFault(f"{folder}: cannot be written ({error.strerror}); name a folder of yours") from None
    for path in paths:
        print(f"bidlab dmp import {path}")
    print(f"bidlab dmp reach --segments {folder / 'segments.yaml'}")


@command("vary")
def vary_setting(
    scenario: ScenarioName,
    path: Annotated[str, typer.Argument(metavar="SETTING", help="For example people.consent_share.")],
    values: Annotated[list[str], typer.Argument(metavar="VALUE...", help="Its values, one run each.")],
    overrides: Overrides = None,
    picture: Annotated[Path | None, typer.Option("--plot", metavar="FILE.png", help="Write a picture too.")] = None,
    as_json: AsJson = False,
) -> None:
    """Run a scenario once per value of a setting: reach, frequency, caps kept, costs and return of each campaign."""
    from experiments.audience.vary import vary
    from experiments.scenario.loader import load

    title = load(scenario, overrides or []).title or scenario
    rows = vary(scenario, path, values, overrides or [])
    if picture is not None:
        from experiments.audience.plot import plot_varied

        try:
            plot_varied(rows, path, picture, title)
        except (OSError, ValueError) as error:
            raise AudienceFault(f"{picture}: cannot be written ({error}); name a .png in a folder of yours") from None
    show(rows, as_json)


@command("identity")
def identity(
    scenario: ScenarioName,
    thresholds: Annotated[list[float] | None, typer.Argument(metavar="[THRESHOLD]...", min=0.0, max=1.0)] = None,
    overrides: Overrides = None,
    as_json: AsJson = False,
) -> None:
    """Judge the joining of identities against a scenario's true people: pairwise precision and recall by threshold."""
    from experiments.audience.truth import identity_scores
    from experiments.scenario.loader import load

    plan = load(scenario, overrides or [])
    _need_platform(plan.audience, scenario)
    show(identity_scores(plan, thresholds or [1.0, 0.95, 0.9, 0.8, 0.7, 0.6]), as_json)


def _need_platform(platform: object, scenario: str) -> None:
    if platform is None:
        raise AudienceFault(f"{scenario}: has no audience platform; add `audience` with its `sources`")
