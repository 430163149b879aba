"""Why a person is a person: the identities, the edges between them and the records behind them."""

from __future__ import annotations

from typing import Any

import numpy as np

from dmp.audience import Audience
from dmp.errors import AudienceError
from dmp.identifiers import KINDS, BadIdentifier, key_of, stored_value
from dmp.store import Batch


def parse_identifier(text: str) -> tuple[str, str]:
    """Kind and stored value of `kind:value` as people type it; raises `AudienceError`.

    E-mail, phone and address may be given plainly or as their SHA-256.
    """
    kind, colon, value = text.partition(":")
    if not colon or kind not in KINDS:
        raise AudienceError(f"{text!r}: write kind:value, for example cookie:abc; kinds: {', '.join(KINDS)}")
    try:
        return kind, stored_value(kind, value, hashed=True)
    except BadIdentifier:
        pass
    try:
        return kind, stored_value(kind, value)
    except BadIdentifier as error:
        raise AudienceError(f"{text!r}: {error}") from None


def person_of(audience: Audience, identifier: str) -> int:
    """The person an identifier leads to; raises `AudienceError` when it is unknown or the person does not allow it.

    Both get the same words: whether somebody is known is itself personal.
    """
    at = int(audience.graph.find(np.array([key_of(*parse_identifier(identifier))]))[0])
    if at < 0 or audience.graph.person_ix[at] < 0:
        raise AudienceError(f"{identifier}: nobody who allows this is known by it")
    return int(audience.graph.person_ix[at])


def explain(audience: Audience, identifier: str) -> dict[str, Any]:
    """Identities, edges and records behind the person *identifier* leads to."""
    graph = audience.graph
    person = person_of(audience, identifier)
    use = graph.edges.score >= np.float32(graph.threshold)
    a, b = graph.edges.a_ix, graph.edges.b_ix
    touches = (graph.person_ix[a] == person) | (graph.person_ix[b] == person)
    mine = np.flatnonzero(graph.person_ix == person)
    ends = np.unique(np.concatenate([mine, a[touches], b[touches]]))
    values = audience.values(graph.key[ends])
    shown = {int(ix): f"{KINDS[graph.kind[ix]]}:{values[int(graph.key[ix])]}" for ix in ends}
    batches = audience.catalog.batches
    edges = [
        {
            "from": shown[int(a[e])],
            "to": shown[int(b[e])],
            "score": round(float(graph.edges.score[e]), 6),
            "source": batches[graph.edges.batch_ix[e]].source.source,
            "merges": bool(use[e]),
        }
        for e in np.flatnonzero(touches)
    ]
    return {
        "identifier": identifier,
        "threshold": graph.threshold,
        "identities": [{"id": shown[int(ix)], "sources": _sources(audience, int(ix))} for ix in mine],
        "edges": edges,
        "household_persons": int((graph.household_ix == graph.household_ix[person]).sum()),
        "records": {batch.batch: _count(audience, batch, person) for batch in batches},
    }


def _sources(audience: Audience, ix: int) -> list[str]:
    seen = audience.graph.seen_in[ix]
    named = [
        batch.source.source
        for number, batch in enumerate(audience.catalog.batches)
        if int(seen[number // 64]) >> (number % 64) & 1
    ]
    return list(dict.fromkeys(named))


def _count(audience: Audience, batch: Batch, person: int) -> int:
    return int((audience.records(batch)[1] == person).sum())
