"""Made-up persons with cookies, logins, e-mails and homes, and the noisy files several sources would hold of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from dmp.identifiers import key_of, stored_value


def write_source(folder: Path, name: str, rows: list[dict[str, Any]], kinds: list[str], **more: Any) -> Path:
    """A Parquet file with one column per kind, and its declaration."""
    columns = list(dict.fromkeys(column for row in rows for column in row))
    pq.write_table(pa.Table.from_pylist([{c: row.get(c) for c in columns} for row in rows]), folder / f"{name}.parquet")
    declaration = {
        "source": name,
        "file": f"{name}.parquet",
        "format": "parquet",
        "party": "first",
        "channel": "crm_file",
        "region": "US",
        "as_of": "2026-01-01",
        "identifiers": [{"column": kind, "kind": kind} for kind in kinds],
        **more,
    }
    if "time" in more:
        del declaration["as_of"]
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(declaration))
    return path


def key(kind: str, value: str) -> int:
    return int(key_of(kind, stored_value(kind, value)))


def truth(folder: Path, persons: int, seed: int, wrong: float) -> tuple[list[Path], dict[int, int]]:
    """Declarations of two sources, and the true person of each key.

    `logins` joins cookies to logins for certain and without errors; `guesses` joins cookies to each other with a
    score s that is right with probability s (when *wrong* is 1), or always right (when it is 0).
    """
    rng = np.random.default_rng(seed)
    owner: dict[int, int] = {}
    cookies: list[tuple[str, int]] = []
    sure: list[dict[str, Any]] = []
    for person in range(persons):
        mail = f"person{person}@example.com"
        owner[key("email", mail)] = person
        for number in range(int(rng.integers(1, 5))):
            cookie = f"c{person}-{number}"
            cookies.append((cookie, person))
            owner[key("cookie", cookie)] = person
            if rng.random() < 0.5:
                sure.append({"cookie": cookie, "email": mail})
    guesses: list[dict[str, Any]] = []
    by_person: dict[int, list[str]] = {}
    for cookie, person in cookies:
        by_person.setdefault(person, []).append(cookie)
    for cookie, person in cookies:
        score = float(rng.uniform(0.5, 0.999))
        same = rng.random() < 1.0 - wrong * (1.0 - score)
        other = rng.choice(by_person[person]) if same else cookies[int(rng.integers(len(cookies)))][0]
        guesses.append({"cookie": cookie, "device": None, "login": None, "score": score, "second": str(other)})
    logins = write_source(folder, "logins", sure, ["cookie", "email"])
    probable = write_source(folder, "guesses", guesses, ["cookie"], score_column="score")
    data = yaml.safe_load(probable.read_text())
    data["identifiers"].append({"column": "second", "kind": "cookie"})
    probable.write_text(yaml.safe_dump(data))
    return [logins, probable], owner
