"""`docs/data.md`, made from the data dictionary: `python -m experiments.results.data_page > docs/data.md`."""

from __future__ import annotations

from collections.abc import Iterator

from experiments.results.dictionary import FATE_MEANINGS, FATES, NULLABLE, SELLER_TABLES, TABLES, Table
from experiments.results.study_dictionary import STUDIES, STUDIES_NULLABLE

INTRODUCTION = """\
# The tables of a run

<!-- Made by `python -m experiments.results.data_page > docs/data.md`; a test fails when it is stale. -->

A run leaves these tables in its folder, each as `<table>.parquet`, tidy: one kind of thing a row, one fact a column.
Units and meanings are also in the Parquet files, as metadata of each field. The same scenario and seed give the same
bytes. No table holds a wall-clock time; that is in `manifest.json`.

- **Money** is whole nanos of the run's currency per impression: 1,000,000,000 nanos are one unit of the currency, and
  1,000,000 nanos are one unit of CPM (the price of a thousand impressions). `summary.csv` holds the campaigns table in
  units of the currency.
- **Time** is seconds (or hours) since the scenario's start.
- **Names** (ids) are dictionary arrays of strings. Where a name may be missing it is empty, never null. The one column
  that may be null says so.
- Columns that begin with **`truth_`** are known only because the market is simulated. No bidder and no audience
  platform ever reads them.

```
$ bidlab run learning --no-report
...
```

```python
from pathlib import Path

import pyarrow.parquet as pq

newest = max(Path("runs").iterdir())
campaigns = pq.read_table(newest / "campaigns.parquet").to_pylist()
```

Beside the tables: `manifest.json` (seed, versions, scenario hash, driver, seconds, the command that remakes the run),
`scenario.yaml` as resolved, `summary.csv`, `plots/*.png`, `report.html`, and `sellers.html` for the sellers.

**Both sides of the market** have tables. Those of the sellers and the auditor say so; there an anonymous seller has
its own name. In every other table, in the report and on the wire it has a mask (`anonymous-1`).
"""

STUDY_INTRODUCTION = """
# The tables of studies

Sweeps and the commands that say what money bought ([romi.md](romi.md)) write these, under the same rules. Columns of
averages over seeds are in units of the currency.
"""


def data_page() -> str:
    """The page as Markdown."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield INTRODUCTION
    for name, table in TABLES.items():
        yield from _section(name, table)
    yield "## Fates\n\nEvery request ends in exactly one of these; together they are the requests seen.\n"
    yield "| fate | meaning |"
    yield "|---|---|"
    for fate in FATES:
        yield f"| `{fate}` | {FATE_MEANINGS[fate]} |"
    yield STUDY_INTRODUCTION
    for name, table in STUDIES.items():
        yield from _section(name, table)


def _section(name: str, table: Table) -> Iterator[str]:
    side = " The sellers' and the auditor's: no buyer sees it." if name in SELLER_TABLES else ""
    yield f"## {name}\n\nOne row is {table.row}.{side}\n"
    yield "| column | type | unit | meaning |"
    yield "|---|---|---|---|"
    for column in table.columns:
        null = (name, column.name) in NULLABLE | STUDIES_NULLABLE
        yield f"| `{column.name}` | {column.type}{', may be null' if null else ''} | {column.unit} | {column.meaning} |"
    yield ""


if __name__ == "__main__":
    print(data_page(), end="")
