"""Tables obey the dictionary; the same content gives the same bytes; what breaks the dictionary is refused."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from experiments.results.dictionary import NULLABLE, TABLES
from experiments.results.tables import Codes, build_table, build_tables, read_parquet, schema_of, write_parquet
from tests.experiments import synthetic_run

FATE_ROWS = {"hour": [0, 0, 1], "fate": ["won", "outbid", "won"], "requests": [1, 2, 3]}


def test_every_table_has_exactly_the_columns_types_and_units_of_the_dictionary() -> None:
    arrow = {"string": pa.dictionary(pa.int32(), pa.string()), "bool": pa.bool_()}
    for name, table in synthetic_run.tables().items():
        assert table.column_names == [column.name for column in TABLES[name].columns]
        for column in TABLES[name].columns:
            field = table.schema.field(column.name)
            assert field.type == arrow.get(column.type, field.type)
            assert column.type in (str(field.type), "string")
            assert field.metadata[b"unit"].decode() == column.unit
            assert field.nullable == ((name, column.name) in NULLABLE)


@pytest.mark.parametrize(
    "fate",
    [
        Codes(np.array([2, 0, 2], dtype=np.int8), ["outbid", "never used", "won"]),
        Codes(np.array([0, 1, 0], dtype=np.uint32), ["won", "outbid"]),
        Codes(np.array([0, 1, 2]), ["won", "outbid", "won"]),
    ],
)
def test_codes_and_plain_names_give_the_same_bytes(tmp_path: Path, fate: Codes) -> None:
    write_parquet(build_table("fates", FATE_ROWS), tmp_path / "plain")
    write_parquet(build_table("fates", {**FATE_ROWS, "fate": fate}), tmp_path / "codes")
    assert (tmp_path / "plain").read_bytes() == (tmp_path / "codes").read_bytes()


def test_the_same_run_gives_the_same_parquet_bytes_and_another_run_does_not(tmp_path: Path) -> None:
    digests = []
    for seed in (7, 7, 8):
        for name, table in synthetic_run.tables(seed=seed).items():
            write_parquet(table, tmp_path / name)
        digests.append([hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() for name in TABLES])
    assert digests[0] == digests[1]
    assert digests[0][0] != digests[2][0]


def test_a_table_comes_back_from_parquet_unchanged(tmp_path: Path) -> None:
    for name, table in synthetic_run.tables().items():
        write_parquet(table, tmp_path / name)
        back = read_parquet(tmp_path / name)
        assert back.schema.equals(schema_of(name), check_metadata=False)
        assert back.schema.field(0).metadata == schema_of(name).field(0).metadata
        assert back.equals(table) or back.to_pylist() == table.to_pylist()


def test_minus_one_is_the_empty_name() -> None:
    table = build_table("fates", {**FATE_ROWS, "fate": Codes(np.array([-1, 0, -1]), ["won"])})
    assert table["fate"].to_pylist() == ["", "won", ""]


def test_a_table_without_rows_keeps_its_schema() -> None:
    table = build_table("exposures", {column.name: [] for column in TABLES["exposures"].columns})
    assert table.num_rows == 0
    assert table.schema.equals(schema_of("exposures"))


def test_unknown_romi_becomes_null() -> None:
    columns = synthetic_run.columns(wins=0)["campaigns"]
    for unknown in ([None] * 5, np.full(5, np.nan)):
        assert build_table("campaigns", {**columns, "truth_romi": unknown})["truth_romi"].null_count == 5


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"requests": [1.0, 2.0, 3.0]}, "fates.requests: whole numbers are wanted"),
        ({"requests": np.array([2**63, 0, 0], dtype=np.uint64)}, "fates.requests: a number does not fit"),
        ({"requests": [1, 2]}, "fates: columns differ in length: hour 3, fate 3, requests 2"),
        ({"requests": [[1], [2], [3]]}, "fates.requests: one value per row"),
        ({"fate": [1, 2, 3]}, "fates.fate: names are wanted, got 1"),
        ({"fate": Codes(np.array([0, 1, 0]), ["won"])}, r"fates.fate: a code is outside -1..0"),
        ({"fate": Codes(np.array([0.0, 0.0, 0.0]), ["won"])}, "fates.fate: codes are one whole number per row"),
        ({"clicks": [1, 2, 3]}, "fates: columns not in the dictionary: clicks"),
    ],
)
def test_what_breaks_the_dictionary_is_refused(changes: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build_table("fates", {**FATE_ROWS, **changes})


@pytest.mark.parametrize(
    ("column", "values", "message"),
    [
        ("margin", [np.nan] * 5, "row 0 has no number"),
        ("margin", [0.1, 0.1, np.inf, 0.1, 0.1], "row 2 is infinite"),
        ("truth_romi", ["a"] * 5, "numbers are wanted"),
    ],
)
def test_numbers_that_are_none_are_refused(column: str, values: list, message: str) -> None:
    columns = synthetic_run.columns()["campaigns"]
    with pytest.raises(ValueError, match=rf"campaigns\.{column}: {message}"):
        build_table("campaigns", {**columns, column: values})


def test_true_or_false_is_wanted_where_the_dictionary_says_so() -> None:
    columns = synthetic_run.columns(wins=10)["exposures"]
    with pytest.raises(ValueError, match=r"exposures\.clicked: true or false"):
        build_table("exposures", {**columns, "clicked": np.zeros(10, dtype=np.int64)})


def test_a_run_needs_every_table_and_no_other() -> None:
    columns = synthetic_run.columns()
    with pytest.raises(ValueError, match="tables not in the dictionary: extra"):
        build_tables({**columns, "extra": {}})
    del columns["reach"]
    with pytest.raises(ValueError, match="tables missing: reach"):
        build_tables(columns)
    with pytest.raises(ValueError, match="nothing: no such table"):
        build_table("nothing", {})
    with pytest.raises(ValueError, match="fates: columns missing: fate, requests"):
        build_table("fates", {"hour": []})
