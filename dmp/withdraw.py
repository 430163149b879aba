"""Taking a source back: its rows and merges go, the refusals it brought stay."""

from __future__ import annotations

import time

import numpy as np

from dmp.errors import StoreError
from dmp.store import Store


def withdraw_source(store: Store, source: str, who: str, now_s: float | None = None) -> int:
    """Remove every batch of *source*; returns how many. Raises `StoreError` for an unknown one."""
    moment = int(time.time() if now_s is None else now_s)
    with store.writing() as catalog:
        gone = [batch for batch in catalog.batches if batch.source.source == source]
        if not gone:
            known = ", ".join(dict.fromkeys(batch.source.source for batch in catalog.batches)) or "none"
            raise StoreError(f"no source {source!r} here; sources: {known}")
        for batch in gone:
            table = store.table(batch, "consent")
            refused = table.filter(np.asarray(table["refused"]) != 0)
            for time_s, mask in sorted(
                set(zip(refused["time_s"].to_pylist(), refused["refused"].to_pylist(), strict=True))
            ):
                hit = (refused["time_s"].to_numpy() == time_s) & (refused["refused"].to_numpy() == mask)
                keys = [f"{key:016x}" for key in refused["key"].to_numpy()[hit].tolist()]
                entry = {"keys": keys, "time_s": time_s, "granted": 0, "refused": mask, "source": source}
                store.append("consent.jsonl", entry)
        store.append("audit.jsonl", {"time_s": moment, "who": who, "why": f"withdraw source {source}"})
        catalog.batches = [batch for batch in catalog.batches if batch not in gone]
        catalog.withdrawn.append(source)
    return len(gone)
