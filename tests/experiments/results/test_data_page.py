"""The dictionary's page is fresh, and the dictionary itself is complete."""

from __future__ import annotations

from pathlib import Path

from experiments.results.data_page import data_page
from experiments.results.dictionary import FATE_MEANINGS, FATES, NULLABLE, TABLES
from experiments.results.study_dictionary import STUDIES, STUDIES_NULLABLE

DOCS = Path(__file__).parents[3] / "docs"


def test_the_page_is_what_the_dictionary_says() -> None:
    page = (DOCS / "data.md").read_text()
    assert page == data_page(), "stale: python -m experiments.results.data_page > docs/data.md"


def test_every_column_is_on_the_page_with_a_meaning() -> None:
    page = data_page()
    assert not TABLES.keys() & STUDIES.keys()
    for table in (*TABLES.values(), *STUDIES.values()):
        for column in table.columns:
            assert column.meaning
            assert f"| `{column.name}` |" in page
            assert column.unit or not column.name.endswith(("_nanos", "_s", "_cpm"))


def test_fates_and_nullable_columns_are_those_that_exist() -> None:
    assert tuple(FATE_MEANINGS) == FATES
    assert all(column in [c.name for c in TABLES[table].columns] for table, column in NULLABLE)
    assert all(column in [c.name for c in STUDIES[table].columns] for table, column in STUDIES_NULLABLE)
