"""From the files of the sources to what the bidder gets: import, identities, segments, rows by cookie.

Everything is done by the audience platform itself, in a folder of its own that is thrown away; nothing else of the
market reaches it but the names of the cookies whose owners may be recognised.
"""

from __future__ import annotations

import tempfile
from datetime import UTC
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dmp.audience import Audience, Reader, open_audience
from dmp.consent import ACTIVATION
from dmp.evidence import Evidence
from dmp.recognition import NOBODY, Recognition, recognise, threshold_of
from dmp.rules import load_segments
from dmp.segments import evaluate
from dmp.sources.importer import import_source
from dmp.store import Store
from exchange_sim.world import World
from experiments.audience.produce import cookie_names, write_sources
from experiments.scenario.models import Scenario

WHO = Reader("bidlab run", "the bidder's audience")


class Observed(NamedTuple):
    """The bidder's view of the people."""

    recognition: Recognition
    units: NDArray[np.int64]
    """int64[cookies]: row of every cookie; `NOBODY` where its owner may not be recognised."""


def observe_sources(scenario: Scenario, world: World) -> Observed:
    """Import what the sources hold at the scenario's start and make the bidder's rows."""
    platform = scenario.audience
    assert platform is not None
    known_by = platform.segments_by or platform.level
    now_s = scenario.start.replace(tzinfo=UTC).timestamp()
    with tempfile.TemporaryDirectory(prefix="bidlab-audience-") as name:
        folder = Path(name)
        store = Store(folder / "audience")
        for path in write_sources(scenario, world, folder):
            import_source(store, path, now_s)

        def opened(level: str) -> Audience:
            return open_audience(store, ACTIVATION, WHO, threshold_of(level, platform.threshold), now_s)

        known = opened(known_by)
        same = threshold_of(known_by, platform.threshold) == threshold_of(platform.level, platform.threshold)
        counted = known if same else opened(platform.level)
        members = evaluate(load_segments(folder / "segments.yaml"), Evidence(known)) if scenario.segments else {}
        owner = np.repeat(np.arange(world.people_count), np.diff(world.cookies))
        allowed = np.flatnonzero(world.homes["consent"][owner] == 1)
        names = cookie_names(world)
        recognition = recognise(
            [names[c] for c in allowed.tolist()], platform.level, counted.graph, known.graph, members, known_by
        )
    units = np.full(len(owner), NOBODY, np.int64)
    units[allowed] = recognition.units
    return Observed(recognition, units)
