"""Logs and landscape files: every format gives the same rows, every broken one a message with its place."""

from __future__ import annotations

import gzip
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.errors import ReplayError
from experiments.replay import text as text_module
from experiments.replay.landscape import read_stats
from experiments.replay.log import BidLog, read_log

ROWS = [(0, 70, 0.0021143609192222357), (1, 0, 0.0), (0, 300, 1.0)]
PLAIN = "".join(f"{click} {price} {pctr!r}\n" for click, price, pctr in ROWS)


def rows_of(log: BidLog) -> list[tuple[int, int, float]]:
    return list(zip(log.click.tolist(), log.price.tolist(), log.pctr.tolist(), strict=True))


def written(folder: Path, content: str | bytes, name: str = "log.txt") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.mark.parametrize(
    "content",
    [
        PLAIN,
        PLAIN.rstrip("\n"),
        PLAIN.replace("\n", "\r\n"),
        PLAIN.replace(" ", "\t"),
        PLAIN.replace(" ", "   "),
        PLAIN.replace("\n", "\n\n"),
        gzip.compress(PLAIN.encode(), mtime=0),
        "click,price,pctr\n" + PLAIN.replace(" ", ","),
        "\ufeffclick,price,pctr\n" + PLAIN.replace(" ", ","),
        "Click\tPrice\tpCTR\n" + PLAIN.replace(" ", "\t"),
        gzip.compress(b"click,price,pctr\n" + PLAIN.replace(" ", ",").encode(), mtime=0),
        'city,pctr,city,price,click\n"a, b",0.0021143609192222357,,70,0\nc,0,d,"0",1\ne,1,f,300,0\n',
    ],
)
def test_text_formats(tmp_path: Path, content: str | bytes) -> None:
    log = read_log(written(tmp_path, content))
    assert rows_of(log) == ROWS
    assert log.price_sum == 370
    assert (log.click.dtype, log.price.dtype, log.pctr.dtype) == (np.uint8, np.int64, np.float64)


@pytest.mark.parametrize(
    ("clicks", "prices"),
    [
        (pa.array([0, 1, 0], pa.int8()), pa.array([70, 0, 300], pa.int32())),
        (pa.array([False, True, False]), pa.array([70.0, 0.0, 300.0])),
        (pa.array([0.0, 1.0, 0.0]), pa.array([Decimal("70.00"), Decimal("0.00"), Decimal("300.00")])),
    ],
)
def test_parquet(tmp_path: Path, clicks: pa.Array, prices: pa.Array) -> None:
    table = pa.table({"city": ["a", "b", "c"], "price": prices, "click": clicks, "pctr": [row[2] for row in ROWS]})
    pq.write_table(table, tmp_path / "log.parquet")
    assert rows_of(read_log(tmp_path / "log.parquet")) == ROWS


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 2**53 - 1), st.floats(0.0, 1.0)), min_size=1, max_size=30))
def test_what_is_written_is_read(tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[int, int, float]]) -> None:
    path = written(tmp_path_factory.mktemp("log"), "".join(f"{c} {p} {v!r}\n" for c, p, v in rows))
    assert rows_of(read_log(path)) == rows


def test_chunks_join_without_a_seam_and_lines_keep_their_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text_module, "CHUNK_BYTES", 50)
    rows = [(ix % 2, ix, ix / 1000) for ix in range(200)]
    content = "".join(f"{c} {p} {v!r}\n" for c, p, v in rows)
    seen: list[int] = []
    assert rows_of(read_log(written(tmp_path, content), seen.append)) == rows
    assert len(seen) > 40
    assert (sorted(seen), seen[-1]) == (seen, len(content))
    with pytest.raises(ReplayError, match=r"log\.txt:201: price is '-1'"):
        read_log(written(tmp_path, content + "0 -1 0.5\n"))
    table = "click,price,pctr\n" + content.replace(" ", ",")
    with pytest.raises(ReplayError, match=r"log\.txt:202: price is '-1'"):
        read_log(written(tmp_path, table + "0,-1,0.5\n"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "holds no auction"),
        ("\n\n", "holds no auction"),
        ("click,price,pctr\n", "holds no auction"),
        ("0 70 0.1\n0 70\n", "log.txt:2: the row '0 70' has 2 field(s); it must have the three fields"),
        ("0 70 0.1 5\n", "log.txt:1: the row '0 70 0.1 5' has 4 field(s)"),
        ("0 70 0.1\n1 70 0.1 2\n70 0.1\n", "log.txt:2: "),
        ("2 70 0.1\n", "log.txt:1: click is '2'; it must be 0 or 1"),
        ("0 -70 0.1\n", "log.txt:1: price is '-70'; it must be a whole number from 0"),
        ("0 7.5 0.1\n", "log.txt:1: price is '7.5'"),
        ("0 9007199254740992 0.1\n", "log.txt:1: price is '9007199254740992'"),
        ("0 9223372036854775808 0.1\n", "log.txt:1: price is '9223372036854775808'"),
        ("0 nan 0.1\n", "log.txt:1: price is 'nan'"),
        ("\n0 70 nan\n", "log.txt:2: pctr is 'nan'; it must be a probability from 0 to 1"),
        ("0 70 inf\n", "log.txt:1: pctr is 'inf'"),
        ("0 70 -0.1\n", "log.txt:1: pctr is '-0.1'"),
        ("0 70 1.1\n", "log.txt:1: pctr is '1.1'"),
        ("0 70 0.1x\n", "log.txt:1: pctr is '0.1x'"),
        ("0 " + "9" * 5000 + " 0.1\n", "log.txt:1: price is '9999"),
        (b"\x89PNG\x00\xff\n\x01\n", "log.txt:1: the row "),
        ("price,click\n70,0\n", "log.txt:1: the header 'price,click' must name the column pctr once"),
        ("0,70,0.1\n", "log.txt:1: the header '0,70,0.1' must name the column click once"),
        ("click,price,pctr\n0,70\n", "log.txt:2: the row '0,70' has 2 field(s); it must have 3, as the header"),
        ("click,price,pctr\n0,,0.1\n", "log.txt:2: price is ''"),
        (gzip.compress(PLAIN.encode() * 3000, mtime=0)[:-200], "the gzip file is cut short"),
        (gzip.compress(PLAIN.encode(), mtime=0)[:-12] + b"\0" * 12, "the gzip file is damaged"),
    ],
)
def test_broken_text(tmp_path: Path, content: str | bytes, message: str) -> None:
    with pytest.raises(ReplayError) as caught:
        read_log(written(tmp_path, content))
    assert message in str(caught.value)
    assert str(tmp_path / "log.txt") in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_line_without_end_is_refused_before_it_fills_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text_module, "CHUNK_BYTES", 50)
    with pytest.raises(ReplayError, match="the line has no end"):
        read_log(written(tmp_path, "0 7 0.1\n" + "x" * 500))


def test_prices_that_add_up_beyond_int64(tmp_path: Path) -> None:
    with pytest.raises(ReplayError, match="beyond int64"):
        read_log(written(tmp_path, f"0 {2**53 - 1} 0.1\n" * 1025))


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"price": [70], "click": [0]}, "must hold the column pctr once; it holds price, click"),
        ({"price": ["70"], "click": [0], "pctr": [0.1]}, "column price is of type string"),
        ({"price": [70, None], "click": [0, 0], "pctr": [0.1, 0.1]}, "row 2: price is 'null'"),
        ({"price": [70.0, 7.5], "click": [0, 0], "pctr": [0.1, 0.1]}, "row 2: price is '7.5'"),
        ({"price": [70, -5], "click": [0, 0], "pctr": [0.1, 0.1]}, "row 2: price is '-5'"),
        ({"price": [70, 5], "click": [0, 0], "pctr": [0.1, float("nan")]}, "row 2: pctr is 'nan'"),
        ({"price": [], "click": [], "pctr": []}, "column click is of type null"),
    ],
)
def test_broken_parquet(tmp_path: Path, columns: dict[str, list[Any]], message: str) -> None:
    pq.write_table(pa.table(columns), tmp_path / "log.parquet")
    with pytest.raises(ReplayError) as caught:
        read_log(tmp_path / "log.parquet")
    assert message in str(caught.value)


def test_parquet_without_rows(tmp_path: Path) -> None:
    table = pa.table(
        {"price": pa.array([], pa.int64()), "click": pa.array([], pa.int8()), "pctr": pa.array([], pa.float64())}
    )
    pq.write_table(table, tmp_path / "log.parquet")
    with pytest.raises(ReplayError, match="holds no auction"):
        read_log(tmp_path / "log.parquet")


def test_parquet_cut_short(tmp_path: Path) -> None:
    pq.write_table(pa.table({"price": [1], "click": [0], "pctr": [0.1]}), tmp_path / "whole.parquet")
    with pytest.raises(ReplayError, match="damaged or cut short"):
        read_log(written(tmp_path, (tmp_path / "whole.parquet").read_bytes()[:-20], "log.parquet"))


LANDSCAPE = {"imp_train": 1000, "clk_train": 4, "cost_train": 50_000, "price_counter_train": [0, 400, 200, 100, 60]}


def test_training_totals(tmp_path: Path) -> None:
    stats = read_stats(written(tmp_path, json.dumps(LANDSCAPE)))
    assert (stats.base_ctr(), stats.max_ecpc()) == (0.004, 12_500.0)


@pytest.mark.parametrize("c", [1, 7, 40])
def test_the_fit_finds_the_constant_of_a_landscape_that_follows_the_curve(tmp_path: Path, c: int) -> None:
    highest = 300
    share = np.arange(highest + 1) / (np.arange(highest + 1) + c)
    counts = np.diff(share, prepend=0.0)
    counts[-1] += 1.0 - share[-1]
    content = LANDSCAPE | {"price_counter_train": np.rint(counts * 10**12).astype(int).tolist()}
    assert read_stats(written(tmp_path, json.dumps(content))).landscape_c() == c


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "log.txt:1: the landscape file is not JSON"),
        ("[1]", "must be a JSON object"),
        (b"\xff\xfe", "is not JSON text"),
        (json.dumps(LANDSCAPE | {"clk_train": 0}), "clk_train is 0; it must be a whole number above 0"),
        (json.dumps(LANDSCAPE | {"cost_train": float("nan")}), "cost_train is NaN"),
        (json.dumps(LANDSCAPE | {"imp_train": "many"}), 'imp_train is "many"'),
        (json.dumps(LANDSCAPE | {"imp_train": True}), "imp_train is true"),
        (json.dumps({"imp_train": 5}), "lacks clk_train"),
        (json.dumps(LANDSCAPE | {"price_counter_train": [1, -1]}), "price_counter_train must be a list of counts"),
        (json.dumps(LANDSCAPE | {"price_counter_train": [1]}), "holds too few prices"),
        (json.dumps(LANDSCAPE | {"price_counter_train": [0, 0, 0]}), "holds too few prices"),
        (json.dumps(LANDSCAPE | {"price_counter_train": [0, 0, 0, 0, 9]}), "does not follow"),
        (json.dumps({"imp_train": 5, "clk_train": 1, "cost_train": 9}), "lacks price_counter_train"),
    ],
)
def test_broken_landscape(tmp_path: Path, content: str | bytes, message: str) -> None:
    path = written(tmp_path, content)
    with pytest.raises(ReplayError) as caught:
        _use_all(path)
    assert message in str(caught.value)


def _use_all(path: Path) -> None:
    stats = read_stats(path)
    stats.base_ctr()
    stats.max_ecpc()
    stats.landscape_c()
