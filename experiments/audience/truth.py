"""How well identities were joined, against the people who really stand behind them."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from datetime import UTC
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from dmp.audience import Reader, open_audience
from dmp.consent import STORAGE
from dmp.identifiers import keys_of, stored_value
from dmp.match import pair_scores
from dmp.sources.importer import import_source
from dmp.store import Store
from experiments.audience.produce import cookie_names, email_names, write_sources
from experiments.compile.market import compile_world
from experiments.scenario.models import Scenario


def identity_scores(scenario: Scenario, thresholds: Sequence[float]) -> list[dict[str, Any]]:
    """Per threshold: identities, persons made of them, true persons behind them, pairwise precision and recall.

    Judged are the cookies and e-mails of people the audience holds; cookies that no longer exist are left out.
    """
    world = compile_world(scenario)
    owner = np.repeat(np.arange(world.people_count), np.diff(world.cookies))
    emails = [stored_value("email", name) for name in email_names(world)]
    key = np.concatenate([keys_of("cookie", pa.array(cookie_names(world))), keys_of("email", pa.array(emails))])
    who = np.concatenate([owner, np.arange(world.people_count)])
    now_s = scenario.start.replace(tzinfo=UTC).timestamp()
    rows = []
    with tempfile.TemporaryDirectory(prefix="bidlab-audience-") as name:
        store = Store(Path(name) / "audience")
        for path in write_sources(scenario, world, Path(name)):
            import_source(store, path, now_s)
        for threshold in thresholds:
            graph = open_audience(store, STORAGE, Reader("bidlab", "identity scores"), threshold, now_s).graph
            at = graph.find(key)
            made, true = graph.person_ix[at[at >= 0]], who[at >= 0]
            scores = pair_scores(made, true)
            persons, behind = len(np.unique(made)), len(np.unique(true))
            found = {"identities": len(made), "persons": persons, "true_persons": behind}
            rows.append({"threshold": threshold, **found, **scores._asdict()})
    return rows
