"""Consent strings: what is written is read, and whatever is broken grants nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dmp.consent import mask_of_string
from dmp.gpp import gpp_purposes, gpp_sections
from dmp.tcf import granted_purposes, read_tc_string
from tests.dmp.tc_strings import Core, base64, core_bits, disclosed, encode, gpp

FULL = Core(purposes=set(range(1, 12)), vendors=[(1, 40)])


@st.composite
def cores(draw: st.DrawFn) -> Core:
    cuts = sorted(draw(st.sets(st.integers(1, 300), max_size=8)))
    pairs = list(zip(cuts[::2], cuts[1::2], strict=False))
    return Core(
        created=(created := draw(st.integers(0, 2**36 - 1))),
        updated=draw(st.integers(created, 2**36 - 1)),
        language=draw(st.text("ABCXYZ", min_size=2, max_size=2)),
        policy=draw(st.sampled_from([2, 3, 4, 5])),
        features=draw(st.sets(st.integers(1, 12))),
        purposes=draw(st.sets(st.integers(1, 24))),
        interests=draw(st.sets(st.integers(1, 24))),
        vendors=pairs,
        as_ranges=draw(st.booleans()),
        restrictions=[
            (draw(st.integers(1, 11)), draw(st.integers(0, 2)), [(5, 9)]) for _ in range(draw(st.integers(0, 2)))
        ],
    )


@given(core=cores())
def test_written_is_read(core: Core) -> None:
    read = read_tc_string(encode(core))
    assert read is not None
    assert read.purposes == {purpose for purpose in core.purposes if purpose <= 11}
    assert read.vendors == {vendor for a, b in core.vendors for vendor in range(a, b + 1)}
    assert (read.language, read.policy, read.publisher_country) == (core.language, core.policy, core.country)
    assert (read.created_s, read.updated_s) == (core.created / 10, core.updated / 10)
    assert read.special_features == core.features
    barred = {(p, v) for p, kind, parts in core.restrictions if kind != 1 for a, b in parts for v in range(a, b + 1)}
    for vendor in (1, 5, 9, 10, 299):
        expected = {p for p in read.purposes if vendor in read.vendors and (p, vendor) not in barred}
        assert read.grants(vendor) == expected


@given(core=cores())
def test_no_strict_prefix_grants_anything(core: Core) -> None:
    text = encode(core)
    assert all(read_tc_string(text[:cut]) is None for cut in range(len(text)))


@given(core=cores())
def test_a_cut_segment_spoils_the_whole_string(core: Core) -> None:
    """The core alone is a whole string; with part of another segment it is not."""
    text = f"{encode(core)}.{disclosed()}"
    assert read_tc_string(text) is not None
    assert [cut for cut in range(len(text)) if read_tc_string(text[:cut])] == [len(encode(core))]


@given(raw=st.binary(max_size=80))
def test_random_bytes_grant_only_if_they_are_a_whole_string(raw: bytes) -> None:
    bits = "".join(f"{byte:08b}" for byte in raw)
    for text in (base64(bits), raw.decode("latin-1"), "C" + base64(bits)):
        read = read_tc_string(text)
        if read is None:
            assert granted_purposes(text) == frozenset()
            assert mask_of_string(text) == 0
        else:
            assert len(text.split(".")[0]) * 6 >= 213 + 17 + 17 + 12


@given(core=cores(), data=st.data())
def test_flipping_any_letter_to_rubbish_grants_nothing(core: Core, data: st.DataObject) -> None:
    text = encode(core)
    at = data.draw(st.integers(0, len(text) - 1))
    rubbish = data.draw(st.sampled_from("+/= \n\x00é٣%"))
    assert granted_purposes(text[:at] + rubbish + text[at + 1 :]) == frozenset()


BROKEN = {
    "empty": "",
    "version 1": encode(Core(version=1, purposes={1})),
    "version 3": encode(Core(version=3, purposes={1})),
    "policy 1": encode(Core(policy=1, purposes={1})),
    "policy 6": encode(Core(policy=6, purposes={1})),
    "updated before created": encode(Core(created=2, updated=1, purposes={1})),
    "trailing letters": encode(FULL) + "AAAAA",
    "trailing bit": base64(core_bits(FULL) + "1"),
    "trailing garbage": encode(FULL) + "!!!",
    "trailing dot": encode(FULL) + ".",
    "padding": encode(FULL) + "=",
    "blank before": " " + encode(FULL),
    "line break": encode(FULL) + "\n",
    "segment unknown": encode(FULL) + "." + base64("111" + "0" * 30),
    "segment twice": f"{encode(FULL)}.{disclosed()}.{disclosed()}",
    "range backwards": encode(Core(purposes={1}, vendors=[(9, 4)], as_ranges=True, highest=20)),
    "range beyond the highest": encode(Core(purposes={1}, vendors=[(4, 30)], as_ranges=True, highest=20)),
    "range overlapping": encode(Core(purposes={1}, vendors=[(4, 8), (8, 9)], as_ranges=True)),
    "range of vendor 0": encode(Core(purposes={1}, vendors=[(0, 3)], as_ranges=True)),
    "restriction undefined": encode(Core(purposes={1}, restrictions=[(1, 3, [(1, 1)])])),
    "restriction of purpose 0": encode(Core(purposes={1}, restrictions=[(0, 0, [(1, 1)])])),
    "language": base64(core_bits(FULL)[:108] + "111111111111" + core_bits(FULL)[120:]),
    "endless": "C" * 20_000,
}


@pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN.keys())
def test_broken_strings_grant_nothing(text: str) -> None:
    assert granted_purposes(encode(FULL)) == set(range(1, 12))
    assert granted_purposes(text) == frozenset()
    assert mask_of_string(gpp({2: text or "-"})) == 0


@pytest.mark.parametrize("thing", [None, 3, b"C", ["C"], float("nan")])
def test_what_is_no_text_grants_nothing(thing: object) -> None:
    assert mask_of_string(thing) == 0
    assert gpp_sections(thing) == {}


def test_published_examples() -> None:
    """Header and sections of the example in the GPP specification: European and USP sections."""
    text = "DBACNY~CPXxRfAPXxRfAAfKABENB-CgAAAAAAAAAAYgAAAAAAAA~1YNN"
    assert list(gpp_sections(text)) == [2, 6]
    read = read_tc_string(gpp_sections(text)[2])
    assert read is not None
    assert (read.purposes, read.cmp_id, read.language) == (frozenset(), 31, "EN")


@given(numbers=st.sets(st.integers(1, 400), min_size=1, max_size=12))
def test_sections_are_found_and_no_prefix_is_taken_for_whole(numbers: set[int]) -> None:
    sections = {section: (encode(FULL) if section == 2 else f"x{section}") for section in numbers}
    text = gpp(sections)
    assert gpp_sections(text) == sections
    assert gpp_purposes(text, 3) == (set(range(1, 12)) if 2 in numbers else set())
    header = text.index("~")
    assert all(gpp_sections(text[:cut]) == {} for cut in range(header + 1))
    assert gpp_sections(text + "~more") == {}
    assert gpp_sections(text.rpartition("~")[0]) == {}


@given(text=st.text("DBAC~.ab-_ ", max_size=40))
def test_any_text_is_read_without_a_crash(text: str) -> None:
    assert mask_of_string(text) >= 0
