"""What people may ask for: to allow, to refuse, to see what is known, to be forgotten.

A refusal reaches every identity of the person and counts at once. Compaction takes the data of everybody who does not
allow storage out of the files; of an erased person only the refusal stays, under hashes, so that a later file does not
bring the data back.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from dmp.activation import deactivate
from dmp.audience import Audience, allowed_identities
from dmp.consent import ALL, STORAGE, Ledger, names_of
from dmp.explain import explain, parse_identifier, person_of
from dmp.identifiers import key_of
from dmp.identity import build_graph
from dmp.store import Batch, Catalog, Store


def _moment(now_s: float | None) -> int:
    return int(time.time() if now_s is None else now_s)


def _keys_of_person(store: Store, catalog: Catalog, identifier: str) -> NDArray[np.uint64]:
    """Every identity certainly joined with *identifier*, itself included even when it is unknown."""
    key = key_of(*parse_identifier(identifier))
    graph = build_graph(store, catalog, 1.0)
    at = int(graph.find(np.array([key]))[0])
    if at < 0 or graph.person_ix[at] < 0:
        return np.array([key], np.uint64)
    return np.asarray(graph.key[graph.person_ix == graph.person_ix[at]])


def _enter(store: Store, keys: NDArray[np.uint64], moment: int, granted: int, refused: int, source: str) -> None:
    listed = [f"{key:016x}" for key in keys.tolist()]
    entry = {"keys": listed, "time_s": moment, "granted": granted, "refused": refused, "source": source}
    store.append("consent.jsonl", entry)


def allow(store: Store, identifier: str, purposes: int, source: str, now_s: float | None = None) -> int:
    """Enter a consent for the identity and all it is certainly joined with; returns how many identities."""
    with store.writing() as catalog:
        keys = _keys_of_person(store, catalog, identifier)
        _enter(store, keys, _moment(now_s), purposes & ALL, 0, source)
    return len(keys)


def refuse(store: Store, identifier: str, purposes: int, source: str, now_s: float | None = None) -> int:
    """Enter a refusal for the identity and all it is certainly joined with; returns how many identities."""
    with store.writing() as catalog:
        keys = _keys_of_person(store, catalog, identifier)
        _enter(store, keys, _moment(now_s), 0, purposes & ALL, source)
        deactivate(store, keys, purposes & ALL)
    return len(keys)


def erase(store: Store, identifier: str, who: str, now_s: float | None = None) -> int:
    """Refuse everything for the person and remove their data from the files; returns how many identities."""
    moment = _moment(now_s)
    key = int(key_of(*parse_identifier(identifier)))
    store.append("audit.jsonl", {"time_s": moment, "who": who, "why": f"erase {key:016x}"})
    with store.writing() as catalog:
        keys = _keys_of_person(store, catalog, identifier)
        _enter(store, keys, moment, 0, ALL, "erasure")
        deactivate(store, keys, ALL)
        _compact(store, catalog, moment)
    return len(keys)


def compact(store: Store, who: str, now_s: float | None = None) -> int:
    """Remove from the files everybody who does not allow storage; returns how many identities went."""
    moment = _moment(now_s)
    store.append("audit.jsonl", {"time_s": moment, "who": who, "why": "compaction"})
    with store.writing() as catalog:
        return _compact(store, catalog, moment)


def _compact(store: Store, catalog: Catalog, moment: int) -> int:
    graph = build_graph(store, catalog, 1.0)
    ledger = Ledger(store.decisions(catalog, latest=True))
    keep = allowed_identities(graph, ledger, STORAGE)
    # Somebody who is out because another of their identities refused must stay out when that link is gone.
    refused = (ledger.refused(graph.key) & STORAGE) != 0
    barred = np.zeros(graph.persons + 1, np.bool_)
    barred[graph.person_ix[refused & (graph.person_ix >= 0)]] = True
    drawn_in = barred[graph.person_ix] & ~refused
    if drawn_in.any():
        _enter(store, graph.key[drawn_in], moment, 0, STORAGE, "refusal of the same person")
    kept = graph.key[keep]
    for place, batch in enumerate(catalog.batches):
        catalog.batches[place] = _without_others(store, batch, kept, f"{batch.batch}-{catalog.revision + 1}-{place}")
    return int((~keep).sum())


def _without_others(store: Store, batch: Batch, kept: NDArray[np.uint64], name: str) -> Batch:
    """The batch with rows of *kept* identities alone, written beside the old one; the same batch when nothing goes."""
    tables = {}
    for table_name, columns in (("records", ["key"]), ("edges", ["a", "b"]), ("identifiers", ["key"])):
        table = store.table(batch, table_name)
        stays = np.ones(table.num_rows, np.bool_)
        for column in columns:
            stays &= np.isin(table[column].to_numpy(), kept)
        tables[table_name] = (table, stays)
    if all(stays.all() for _, stays in tables.values()):
        return batch
    folder = store.partial(name)
    for table_name, (table, stays) in tables.items():
        pq.write_table(table.filter(pa.array(stays)), folder / f"{table_name}.parquet", compression="lz4")
    old = store.folder / "batches" / batch.folder
    for file in ("consent.parquet", "rejects.csv"):
        (folder / file).write_bytes((old / file).read_bytes())
    return batch.model_copy(update={"folder": store.adopt(folder)})


def export_person(audience: Audience, identifier: str) -> dict[str, Any]:
    """Everything the store holds of a person who allows storage: identities, edges, records, decisions."""
    told = explain(audience, identifier)
    person = person_of(audience, identifier)
    mine = audience.graph.key[audience.graph.person_ix == person]
    records = []
    for batch in audience.catalog.batches:
        table, owner = audience.records(batch)
        for row in table.filter(pa.array(owner == person)).to_pylist():
            row["source"] = batch.source.source
            records.append({name: value for name, value in row.items() if value is not None and name != "key"})
    rows = audience.store.decisions(audience.catalog)
    hit = np.flatnonzero(np.isin(rows.key, mine))
    decisions = [
        {
            "time_s": int(rows.time_s[row]),
            "granted": list(names_of(int(rows.granted[row]))),
            "refused": list(names_of(int(rows.refused[row]))),
        }
        for row in hit[np.argsort(rows.time_s[hit], kind="stable")]
    ]
    return {**told, "records": records, "decisions": decisions}
